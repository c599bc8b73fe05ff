import type { Model } from "../model/model.ts";
import { type Criterion, weightsOf } from "./criterion.ts";
import { groupSums } from "./groups.ts";

/** Magnitude: |w|; of a group, Σ|w|. Han et al., NeurIPS 2015; Li et al., ICLR 2017. */
export const l1: Criterion = {
  name: "l1",
  weights: async ({ model }, tensors) =>
    new Map(tensors.map((name) => [name, mapWeights(model, name, Math.abs)])),
  indices: ({ model }, dimensions) =>
    groupSums(model, dimensions, (tensors) => l1.weights({ model }, tensors)),
};

/** Magnitude: |w|; of a group, √Σw², as DepGraph ranks groups (Fang et al., CVPR 2023). */
export const l2: Criterion = {
  name: "l2",
  weights: l1.weights,
  async indices({ model }, dimensions) {
    const squares = async (tensors: readonly string[]) =>
      new Map(tensors.map((name) => [name, mapWeights(model, name, (w) => w * w)]));
    const sums = await groupSums(model, dimensions, squares);
    return sums.map((scores) => ({ ...scores, values: scores.values.map(Math.sqrt) }));
  },
  whole: (values) => Math.hypot(...values),
};

/** A function of every weight; a plain loop, which is several times faster than `map` of a typed array. */
function mapWeights(model: Model, name: string, f: (w: number) => number): Float32Array {
  const weights = weightsOf(model, name);
  const result = new Float32Array(weights.length);
  for (let i = 0; i < weights.length; i++) result[i] = f(weights[i]!);
  return result;
}
