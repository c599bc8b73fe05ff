import { account, layerCounts, prunableDimensions } from "@espalier/core";
import { maskFrom } from "@espalier/core/graph";
import { applySteps } from "@espalier/core/pruning";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";

const model = modelOf(drawEncoder({ width: 8, heads: 2, feedForward: 16 }));

describe("counts by layer", () => {
  it("add up to those of the model, all dense before anything is pruned", () => {
    const layers = layerCounts(model);
    const total = layers.reduce((sum, { parameters }) => sum + parameters, 0);
    expect(total).toBe(account(model).parameters.total);
    expect(layers.every(({ density }) => density === 1)).toBe(true);
  });

  it("measure density against the layer as it was drawn, whether weights were removed or masked", () => {
    const wide = prunableDimensions(model.dimensions).find(({ size }) => size === 16)!;
    const [first] = wide.members;
    const removed = applySteps(model, [
      {
        do: "remove",
        dimension: wide.name,
        extent: 16,
        indices: Array.from({ length: 8 }, (_, i) => i),
        because: "",
      },
    ]);
    const { shape } = removed.tensors.get(first!.tensor)!;
    const half = applySteps(removed, [
      { do: "mask", parameter: first!.tensor, keep: maskFrom(shape, (i) => i % 2 === 0), because: "" },
    ]);
    const name = first!.tensor.slice(0, first!.tensor.lastIndexOf("."));
    const [before, after] = [layerCounts(model), layerCounts(half)].map((layers) =>
      layers.find((layer) => layer.name === name),
    );
    const elements = shape.reduce((n, extent) => n * extent, 1);
    expect(after).toMatchObject({
      original: before!.parameters,
      nonzero: after!.parameters - elements / 2,
      density: after!.nonzero / before!.parameters,
    });
    expect(after!.density).toBeLessThan(0.3);
    const dimension = prunableDimensions(half.dimensions).find((d) => d.name === wide.name);
    expect(dimension).toMatchObject({ size: 8, originalSize: 16 });
  });
});
