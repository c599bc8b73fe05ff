import { backendChecks } from "@espalier/core/testing";
import { describe, it } from "vitest";
import { noLimits } from "../src/threads/divide/limits.ts";
import { wasmWith } from "../src/wasm.ts";

/** Plain SIMD on two threads: in Chromium. */
describe("wasm, two threads", () => {
  it.each(backendChecks(wasmWith({ threads: 2 }, noLimits)).map((check) => [check.name, check] as const))(
    "%s",
    async (_name, check) => {
      await check.run();
    },
  );
});
