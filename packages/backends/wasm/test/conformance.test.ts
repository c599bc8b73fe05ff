import { backendChecks } from "@espalier/core/testing";
import { describe, it } from "vitest";
import { type Simd, wasm } from "../src/index.ts";

describe.each(["relaxed", "plain"] satisfies Simd[])("wasm, %s SIMD", (simd) => {
  const backend = wasm({ simd });

  it.each(backendChecks(backend).map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });
});
