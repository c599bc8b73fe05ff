import { chooseNetwork, type RandomNetwork } from "@espalier/core/testing";
import fc from "fast-check";

/** Random networks, shrunk choice by choice. */
export const network: fc.Arbitrary<RandomNetwork> = fc.gen().map((choose) =>
  chooseNetwork({
    integer: (min, max) => choose(fc.integer, { min, max }),
    pick: (from) => from[choose(fc.nat, from.length - 1)]!,
  }),
);
