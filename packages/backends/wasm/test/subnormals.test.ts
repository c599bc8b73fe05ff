import { float32 } from "@espalier/core";
import { Builder, softmax } from "@espalier/core/graph";
import { beforeAll, describe, expect, it } from "vitest";
import { scenarios } from "../bench/adversarial.ts";
import { auditedKernels, countSubnormals } from "../bench/audited.ts";
import { type Simd, wasm } from "../src/index.ts";

const smallestNormal = 2 ** -126;
const isSubnormal = (x: number) => x !== 0 && Math.abs(x) < smallestNormal;

describe.each(["relaxed", "plain"] satisfies Simd[])("subnormal numbers, %s SIMD", (simd) => {
  let kernels: WebAssembly.Module;
  beforeAll(async () => {
    kernels = await auditedKernels(simd);
  }, 120_000);

  const all = scenarios({ width: 16, batch: 2, steps: 4, adamSteps: 1000 });
  it.each(all.map((one) => [one.name, one] as const))("hardly occur: %s", async (_name, scenario) => {
    const { operations, subnormal, outputs, tensors } = await countSubnormals(scenario, simd, kernels);
    expect(operations).toBeGreaterThan(1000);
    // At 150 cycles each, beside half a cycle, 15 % of a run's time.
    expect(subnormal).toBeLessThanOrEqual(5e-4 * operations);
    for (const [name, { data }] of [...outputs, ...tensors])
      expect(data.filter(isSubnormal).length, name).toBe(0);
  });
});

it.each([0, 1])("gives far-off scores a probability of exactly zero, along axis %i", async (axis) => {
  const b = Builder.create();
  b.output("y", softmax(b, b.input("x", [8, 8]), axis));
  const { graph, data } = b.build();
  const backend = wasm();
  const program = await backend.compile(graph, { state: await backend.createState(data) });
  const scores = Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 0 : i % 2 === 0 ? -50 : -1e9));
  const y = (await program.run(new Map([["x", float32([8, 8], scores)]]))).get("y")!;
  expect([...y.data]).toEqual([...scores].map((x) => (x === 0 ? 1 : 0)));
});
