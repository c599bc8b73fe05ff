import { float32, type Model, reference, type TensorData } from "@espalier/core";
import { describe, expect, it } from "vitest";
import { defaultAdam, drawTrainingStep, inputsFrom, optimiserPrefix } from "../src/index.ts";
import { common, inverted, patched } from "./small.ts";

const rate = (value: number) => ["learningRate", float32([], [value])] as const;

/** Losses of some steps that change nothing, and the state after them. */
async function lossesOf(
  model: Model,
  { seed = 1, steps = 1, change = {} as Record<string, TensorData> } = {},
) {
  const { graph, tensors } = drawTrainingStep(model, { seed });
  const state = await reference.createState(
    new Map([...model.tensors, ...tensors, ...Object.entries(change)]),
  );
  const program = await reference.compile(graph, { state });
  const data = inputsFrom(
    { ...graph, inputs: graph.inputs.filter(({ name }) => name !== "learningRate") },
    common.train,
  );
  const inputs = new Map([...data([0, 7, 19, 40]), rate(0)]);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push((await program.run(inputs)).get("loss")!.data[0]!);
  return { losses, state };
}

describe("a training step", () => {
  it.each([
    ["PatchTST, with batch statistics and dropout", patched],
    ["iTransformer", inverted],
  ])("of %s has the gradient that central differences have", async (_name, model) => {
    const { state } = await lossesOf(model);
    const step = 2 ** -6;
    let largest = 0;
    for (const { name, role } of model.graph.tensors) {
      if (role !== "trainable") continue;
      const moment = (await state.read([`${optimiserPrefix}m:${name}`])).get(`${optimiserPrefix}m:${name}`)!;
      const gradient = moment.data.map((m) => m / (1 - defaultAdam.beta1));
      const { shape, data } = model.tensors.get(name)!;
      for (const at of new Set([0, data.length >> 1, data.length - 1])) {
        const lossAt = async (by: number) => {
          const changed = float32(
            shape,
            data.map((w, i) => (i === at ? w + by : w)),
          );
          return (await lossesOf(model, { change: { [name]: changed } })).losses[0]!;
        };
        const slope = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
        largest = Math.max(largest, Math.abs(slope));
        expect(Math.abs(gradient[at]! - slope)).toBeLessThan(2e-3);
      }
    }
    expect(largest).toBeGreaterThan(0.1);
  });

  it("drops other values at every step and for every seed, and the same for the same", async () => {
    const run = async (seed: number) => (await lossesOf(patched, { seed, steps: 3 })).losses;
    const losses = await run(1);
    expect(new Set(losses).size).toBe(3);
    expect(await run(1)).toEqual(losses);
    expect((await run(2)).some((loss) => losses.includes(loss))).toBe(false);
    expect(new Set((await lossesOf(inverted, { steps: 3 })).losses).size).toBe(1);
  });

  it("changes live parameters and running statistics, nothing else", () => {
    const { changing } = drawTrainingStep(patched, { seed: 1 });
    const trainable = patched.graph.tensors.flatMap(({ name, role }) => (role === "trainable" ? [name] : []));
    const statistics = ["encoder.norm.1.running_mean", "encoder.norm.1.running_var"];
    expect(changing.toSorted()).toEqual([...trainable, ...statistics].sort());
  });
});
