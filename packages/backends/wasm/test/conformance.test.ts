import { backendChecks, equalNodes } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { type Simd, wasm } from "../src/index.ts";

describe.each(["relaxed", "plain"] satisfies Simd[])("wasm, %s SIMD", (simd) => {
  const backend = wasm({ simd });

  it.each(backendChecks(backend).map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });
});

it("rules of core decide what is called: equal nodes are one call", async () => {
  const backend = wasm();
  const state = await backend.createState(new Map());
  const program = await backend.compile(equalNodes(), { state });
  expect(program.describe!(1).calls.filter(({ kernel }) => kernel.startsWith("softmax"))).toHaveLength(1);
});
