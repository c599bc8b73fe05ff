import { backendChecks } from "@espalier/core/testing";
import { describe, it, vi } from "vitest";
import { wasm } from "../src/index.ts";

// Every call that can be divided is, however small.
vi.mock("../src/threads/divide/limits.ts", () => ({ leastPart: 1, longPart: 1, mostPerThread: 2 }));

/** Plain SIMD on two threads: in Chromium. */
describe("wasm, two threads", () => {
  it.each(backendChecks(wasm({ threads: 2 })).map((check) => [check.name, check] as const))(
    "%s",
    async (_name, check) => {
      await check.run();
    },
  );
});
