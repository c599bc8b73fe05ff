import { prunableDimensions } from "@espalier/core";
import { type Expression, inferDimensions } from "@espalier/core/dimensions";
import {
  Builder,
  batch,
  matMul,
  reshape,
  softmax,
  swapAxes,
  transpose,
  type Value,
} from "@espalier/core/graph";
import { linear, modelOf } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";

/** Attention of 2 samples' heads side by side, [batch · heads, tokens, channels], as PyTorch's has it. */
function mergedHeads(heads: number, channels: number) {
  const b = Builder.create();
  const x = b.input("x", [batch, 5, 8]);
  const split = (name: string) => {
    const wide = reshape(b, linear(b, name, x, 8, heads * channels), [batch, 5, heads, channels]);
    return reshape(b, transpose(b, wide, [0, 2, 1, 3]), [{ batch: heads }, 5, channels]);
  };
  const [q, k, v] = [split("q"), split("k"), split("v")] as [Value, Value, Value];
  const mixed = matMul(b, softmax(b, matMul(b, q, swapAxes(b, k, 1, 2)), 2), v);
  const apart = transpose(b, reshape(b, mixed, [batch, heads, 5, channels]), [0, 2, 1, 3]);
  b.output("y", linear(b, "out", reshape(b, apart, [batch, 5, heads * channels]), heads * channels, 3));
  return modelOf(b.build());
}

const described = (dimensions: ReturnType<typeof inferDimensions>) =>
  prunableDimensions(dimensions).map(({ kind, size }) => [kind, size]);

describe("dimensions beside the batch", () => {
  it("are free: heads that share an axis with it can be pruned", () => {
    expect(described(mergedHeads(2, 4).dimensions)).toEqual([
      ["head", 2],
      ["query-key-channel", 4],
      ["value-channel", 4],
    ]);
  });
});

describe("axes that are known beforehand", () => {
  it("keep dimensions of a single index, which shapes do not show", () => {
    const { graph, dimensions } = mergedHeads(1, 4);
    expect(described(dimensions)).toEqual([
      ["channel", 4],
      ["channel", 4],
    ]);
    const wide = mergedHeads(3, 4);
    const sizes = wide.dimensions.list.map(({ size, kind }) => (kind === "head" ? 1 : size));
    const axes = new Map<number, readonly Expression[]>(wide.dimensions.axes.entries());
    expect(described(inferDimensions(graph, { sizes, axes }))).toEqual([
      ["head", 1],
      ["query-key-channel", 4],
      ["value-channel", 4],
    ]);
  });

  it("are not believed where nodes couple them otherwise", () => {
    const { graph, dimensions } = mergedHeads(2, 4);
    const [weight] = graph.tensors;
    const axes = new Map([[weight!.value, [0, 1] as readonly Expression[]]]);
    const told = inferDimensions(graph, { sizes: [8, 8], axes });
    expect(described(told)).toEqual(described(dimensions));
  });
});
