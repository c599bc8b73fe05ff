import { float32, type Model, randomInputs, reference, runModel } from "@espalier/core";
import type { ModelFactory } from "@espalier/core/graph";
import { largestError } from "@espalier/core/testing";
import { crossformer, dLinear, models as everyModel, iTransformer, patchTST } from "@espalier/models";
import { drawTrainingStep } from "@espalier/training";
import { describe, expect, it } from "vitest";
import { sparsified } from "../bench/models.ts";
import { type Simd, wasm } from "../src/index.ts";

const size = { inputLength: 24, horizon: 10, series: 3, dropout: 0.1 };
const models: Record<string, Model> = {
  iTransformer: iTransformer({
    ...size,
    width: 32,
    feedForward: 44,
    heads: 4,
    layers: 2,
    marks: 4,
  }).initialize(1),
  "PatchTST, odd widths": patchTST({ ...size, width: 21, feedForward: 33, heads: 3, layers: 1 }).initialize(
    1,
  ),
  Crossformer: crossformer({
    ...size,
    width: 24,
    feedForward: 36,
    heads: 2,
    layers: 3,
    segmentLength: 6,
  }).initialize(1),
};

it.each([...everyModel.keys()])("every operator of %s has a kernel", async (name) => {
  const draw = everyModel.get(name) as ModelFactory<object>;
  const narrow = name === "DLinear" ? {} : { width: 16, heads: 2 };
  const model = draw({ inputLength: 96, horizon: 24, ...narrow }).initialize(1);
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const backend = wasm();
  const state = await backend.createState(new Map([...model.tensors, ...tensors]));
  for (const one of [model.graph, graph]) {
    const { calls } = (await backend.compile(one, { state })).describe!(2);
    const slow = calls.filter(({ kernel }) => kernel === "JavaScript").map(({ node }) => node);
    expect(slow).toEqual([]);
  }
});

describe.each(["relaxed", "plain"] satisfies Simd[])("wasm, %s SIMD", (simd) => {
  const backend = wasm({ simd });

  // The products ask for tokens in whole vectors: beside one series lie three of padding, beside seven lies one.
  it.each([1, 2, 7])("averages %i series as the reference does, beside a product", async (series) => {
    const drawn = dLinear({ inputLength: 48, horizon: 24, series }).initialize(1);
    // Equal weights for the average and for the rest, as a fresh model has them, would hide a wrong average.
    const tensors = [...drawn.tensors].map(([name, { shape, data }], at) => {
      return [
        name,
        float32(
          shape,
          Float32Array.from(data as Float32Array, (_, i) => Math.cos(i + at)),
        ),
      ] as const;
    });
    const model = { ...drawn, tensors: new Map(tensors) };
    for (const batchSize of [1, 3, 16]) {
      const inputs = randomInputs(model, batchSize);
      const [expected] = (await runModel(model, reference, inputs)).values();
      const [got] = (await runModel(model, backend, inputs)).values();
      expect(largestError(got!, expected!)).toBeLessThan(1e-4);
    }
  });

  describe.each(Object.entries(models))("%s", (_name, model) => {
    it.each([
      ["dense", 0, 1],
      ["half its weights", 0.5, 1],
      ["a tenth of its weights", 0.9, 1],
      ["60 % zeros in pairs", 0.6, 2],
      ["80 % zeros in quads", 0.8, 4],
    ] as const)("agrees with the reference with %s", async (_what, amount, block) => {
      const sparse = { ...model, tensors: sparsified(model, { amount, block }) };
      for (const batchSize of [1, 3, 21]) {
        const inputs = randomInputs(sparse, batchSize);
        const [expected, got] = await Promise.all([
          runModel(sparse, reference, inputs),
          runModel(sparse, backend, inputs),
        ]);
        expect(largestError(got.get("output")!, expected.get("output")!)).toBeLessThan(1e-5);
      }
    });
  });
});
