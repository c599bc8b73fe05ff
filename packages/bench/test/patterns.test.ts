import { isKept, keptCount, prunableTensors, prune } from "@espalier/core";
import { smallModels } from "@espalier/models/testing";
import { unstructured } from "@espalier/strategy-unstructured";
import { describe, expect, it } from "vitest";

/** Every width is a multiple of four, so that each run of a 2:4 pattern is whole. */
const models = smallModels({
  inputLength: 12,
  horizon: 8,
  series: 4,
  labelLength: 8,
  marks: 4,
  width: 16,
  heads: 4,
  feedForward: 20,
  layers: 1,
  patchLength: 4,
  stride: 4,
  segmentLength: 4,
  factor: 4,
  modes: 4,
  projectorWidths: [8],
});

describe.each([...models])("2:4 on %s", (_name, architecture) => {
  const model = architecture.initialize(1);

  it("halves every weight, and keeps two of every four inputs of an output", async () => {
    const plan = await unstructured({ structure: "2:4" }).plan({ model, amount: 0.5 });
    const masks = plan.steps.flatMap((step) => (step.do === "mask" ? [step] : []));
    expect(masks.map(({ parameter }) => parameter)).toEqual(prunableTensors(model));
    for (const { parameter, keep } of masks) {
      // Inputs lie along axis 1 of a weight: [out, in], [out, in, taps], [heads, in, out, modes]; a table has them last.
      const axis = /pos|router|token$/.test(parameter) ? keep.shape.length - 1 : 1;
      const extent = keep.shape[axis]!;
      const step = keep.shape.slice(axis + 1).reduce((n, one) => n * one, 1);
      const size = keep.shape.reduce((n, one) => n * one, 1);
      for (let i = 0; i < size; i++) {
        if ((Math.floor(i / step) % extent) % 4 !== 0) continue;
        const kept = [0, 1, 2, 3].filter((k) => isKept(keep, i + k * step));
        expect(kept, parameter).toHaveLength(2);
      }
    }
    const small = prune(model, plan);
    const weights = prunableTensors(model).map((name) => small.tensors.get(name)!.data.length);
    const left = [...small.masks.values()].reduce((n, mask) => n + keptCount(mask), 0);
    expect(left).toBe(weights.reduce((n, one) => n + one, 0) / 2);
  });
});
