import { expect, it } from "vitest";
import { adamOperator, adamTiny, Builder, type Value } from "../src/graph.ts";
import { float32, reference } from "../src/index.ts";

const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

/** Runs Adam's steps on one weight whose gradient stays the same. */
async function train(gradient: number, m: number, v: number, steps: number) {
  const b = Builder.create();
  const start: [string, number][] = [
    ["p", 1],
    ["m", m],
    ["v", v],
  ];
  const [p, ...moments] = start.map(([name, x]) => b.tensor(name, "buffer", float32([1], [x]))) as Value[];
  const operands = [p!, b.input("g", [1]), ...moments, b.constant(1000), b.constant(1e-3)];
  b.applyAll(adamOperator, operands, settings).forEach((value, i) => {
    b.update(start[i]![0], value);
  });
  const { graph, data } = b.build();
  const state = await reference.createState(
    new Map([...data, ...start.map(([name, x]) => [name, float32([1], [x])] as const)]),
  );
  const program = await reference.compile(graph, { state });
  for (let i = 0; i < steps; i++) await program.run(new Map([["g", float32([1], [gradient])]]));
  const after = await state.read();
  return start.map(([name]) => after.get(name)!.data[0]!) as [p: number, m: number, v: number];
}

it("lets moments of a weight without a gradient decay to exactly zero, not into subnormal numbers", async () => {
  const [, m, v] = await train(0, 1, 2 ** -120, 600);
  expect(m).toBe(0);
  expect(v).toBeGreaterThan(0);
  expect((await train(0, 1, 2 ** -120, 4000))[2]).toBe(0);
});

it("takes gradients below its bound for zero, and counts those above", async () => {
  expect(await train(adamTiny.gradient / 2, 0, 0, 3)).toEqual([1, 0, 0]);
  const [p, m, v] = await train(2 * adamTiny.gradient, 0, 0, 1);
  expect(m / adamTiny.gradient).toBeCloseTo(0.2);
  expect(v).toBeGreaterThan(adamTiny.v);
  expect(p).toBe(1);
});
