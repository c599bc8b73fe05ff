import { type Backend, float32, type Model, randomInputs, reference, type Tensors } from "@espalier/core";
import { largestError } from "@espalier/core/testing";
import { iTransformer, patchTST } from "@espalier/models";
import { drawTrainingStep } from "@espalier/training";
import { describe, expect, it } from "vitest";
import { pruned } from "../bench/models.ts";
import { type Simd, wasm } from "../src/index.ts";

const size = { inputLength: 24, horizon: 10, series: 3, width: 16, feedForward: 22, heads: 2, layers: 1 };
const models: Record<string, Model> = {
  iTransformer: iTransformer({ ...size, dropout: 0.1 }).initialize(1),
  PatchTST: patchTST({ ...size, dropout: 0.2 }).initialize(1),
};

const masked = (model: Model, amount: number) => pruned(model, { amount, block: 1 });

async function train(model: Model, backend: Backend, steps: number, batchSize: number) {
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const state = await backend.createState(new Map([...model.tensors, ...tensors]));
  const program = await backend.compile(graph, { state });
  const target = float32(
    [batchSize, size.horizon, size.series],
    Float32Array.from({ length: batchSize * size.horizon * size.series }, (_, i) => Math.sin(i)),
  );
  const inputs: Tensors = new Map([
    ...randomInputs(model, batchSize),
    ["target", target],
    ["learningRate", float32([], [1e-3])],
  ]);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push((await program.run(inputs)).get("loss")!.data[0]!);
  return { losses, tensors: await state.read(), state, program, inputs };
}

describe.each(["relaxed", "plain"] satisfies Simd[])("training on wasm, %s SIMD", (simd) => {
  describe.each(Object.entries(models))("%s", (_name, model) => {
    it.each([0, 0.5, 0.9])("does what the reference does with %f of its weights masked", async (amount) => {
      const sparse = masked(model, amount);
      const [expected, got] = await Promise.all([
        train(sparse, reference, 4, 3),
        train(sparse, wasm({ simd }), 4, 3),
      ]);
      got.losses.forEach((loss, i) => {
        expect(Math.abs(loss - expected.losses[i]!)).toBeLessThan(1e-4 * expected.losses[i]!);
      });
      for (const [name, mask] of sparse.masks) {
        const { data } = got.tensors.get(name)!;
        expect(data.every((w, i) => w === 0 || (mask.bits[i >> 3]! >> (i & 7)) & 1)).toBe(true);
      }
      for (const [name, tensor] of expected.tensors) {
        // Gradients that are zero but for rounding: Adam scales the rounding up.
        const gradient = expected.tensors.get(`optimiser:m:${name}`);
        if (name.startsWith("optimiser:") || (gradient?.data ?? [1]).every((m) => Math.abs(m) < 1e-8))
          continue;
        expect.soft(largestError(got.tensors.get(name)!, tensor), name).toBeLessThan(2e-3);
      }
    });
  });
});

it("follows a mask that is written while it trains", async () => {
  const sparse = masked(models.iTransformer!, 0.5);
  const name = "encoder.attn_layers.0.conv1.weight";
  const { state, program, inputs } = await train(sparse, wasm(), 2, 2);
  const closed = (await state.read([name])).get(name)!;
  const mask = float32(
    closed.shape,
    closed.data.map((w, i) => (w !== 0 && i % 3 === 0 ? 1 : 0)),
  );
  await state.write(
    new Map([
      [`optimiser:mask:${name}`, mask],
      [
        name,
        float32(
          closed.shape,
          closed.data.map((w, i) => w * mask.data[i]!),
        ),
      ],
    ]),
  );
  for (let i = 0; i < 2; i++) await program.run(inputs);
  const after = (await state.read([name])).get(name)!;
  after.data.forEach((w, i) => {
    if (mask.data[i] === 0) expect(Math.abs(w)).toBe(0);
  });
  expect(after.data.some((w, i) => w !== closed.data[i] && mask.data[i] === 1)).toBe(true);
});

it("brings weights that their mask closes to zero", async () => {
  const sparse = masked(models.iTransformer!, 0.7);
  const open = { ...sparse, tensors: models.iTransformer!.tensors };
  const [expected, got] = [await train(open, reference, 2, 2), await train(open, wasm(), 2, 2)];
  expect(Math.abs(got.losses[1]! - expected.losses[1]!)).toBeLessThan(1e-4 * expected.losses[1]!);
});

/** Steps of two programs and of two batch sizes on one state, in turns with everything else that reads or writes it. */
async function trainInTurns(model: Model, backend: Backend) {
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const state = await backend.createState(new Map([...model.tensors, ...tensors]));
  const [first, second] = [await backend.compile(graph, { state }), await backend.compile(graph, { state })];
  const forecasts = await backend.compile(model.graph, { state });
  const inputs = (batchSize: number): Tensors => {
    const shape = [batchSize, size.horizon, size.series];
    const target = Float32Array.from({ length: batchSize * size.horizon * size.series }, (_, i) =>
      Math.sin(i),
    );
    return new Map([
      ...randomInputs(model, batchSize),
      ["target", float32(shape, target)],
      ["learningRate", float32([], [1e-3])],
    ]);
  };
  const [name] = model.masks.keys() as Iterable<string>;
  const seen: Tensors[] = [];
  await first.run(inputs(3));
  await first.run(inputs(2));
  await second.run(inputs(3));
  seen.push(await forecasts.run(randomInputs(model, 2)));
  await first.run(inputs(3));
  const before = await state.snapshot();
  await first.run(inputs(3));
  seen.push(await state.read());
  await before.restore();
  await first.run(inputs(3));
  // A parameter from outside, whose moments stay, and moments from outside, whose parameter stays.
  const halved = async (tensor: string) => {
    const { shape, data } = (await state.read([tensor])).get(tensor)!;
    await state.write(
      new Map([
        [
          tensor,
          float32(
            shape,
            data.map((x) => x / 2),
          ),
        ],
      ]),
    );
  };
  await halved(name!);
  await first.run(inputs(3));
  await halved(`optimiser:m:${name}`);
  await second.run(inputs(2));
  second.dispose();
  seen.push(await state.read(), await forecasts.run(randomInputs(model, 2)));
  return seen;
}

it.each([0.5, 0.9])(
  "keeps a state whole whoever reads and writes it, %f of its weights masked",
  async (amount) => {
    const sparse = masked(iTransformer({ ...size, dropout: 0 }).initialize(1), amount);
    const [expected, got] = [await trainInTurns(sparse, reference), await trainInTurns(sparse, wasm())];
    for (const [i, tensors] of expected.entries()) {
      for (const [name, tensor] of tensors) {
        const gradient = tensors.get(`optimiser:m:${name.replace(/^optimiser:.:/, "")}`);
        if ((gradient?.data ?? [1]).every((m) => Math.abs(m) < 1e-8)) continue;
        expect.soft(largestError(got[i]!.get(name)!, tensor), `${name}, ${i}`).toBeLessThan(2e-3);
      }
    }
  },
);
