import { type Criterion, weightsOf } from "./criterion.ts";
import { groupSums } from "./groups.ts";

/** Magnitude |w|; for a group, Σ|w|. Han et al., NeurIPS 2015; Li et al., ICLR 2017. */
export const l1: Criterion = {
  name: "l1",
  weights: async ({ model }, tensors) =>
    new Map(tensors.map((name) => [name, magnitudes(weightsOf(model, name))])),
  indices: ({ model }, dimensions) =>
    groupSums(model, dimensions, (tensors) => l1.weights({ model }, tensors)),
};

/** Magnitude |w|; for a group, √Σw², as DepGraph ranks groups (Fang et al., CVPR 2023). */
export const l2: Criterion = {
  name: "l2",
  weights: l1.weights,
  async indices({ model }, dimensions) {
    const energies = async (tensors: readonly string[]) =>
      new Map(tensors.map((name) => [name, squares(weightsOf(model, name))]));
    const sums = await groupSums(model, dimensions, energies);
    return sums.map((scores) => ({ ...scores, values: scores.values.map(Math.sqrt) }));
  },
  whole: (values) => Math.hypot(...values),
};

// Plain loops are several times faster than `map` of a typed array, or than calling a function per weight.

function magnitudes(weights: Float32Array): Float32Array {
  const result = new Float32Array(weights.length);
  for (let i = 0; i < weights.length; i++) result[i] = Math.abs(weights[i]!);
  return result;
}

/** w² of every weight. */
export function squares(weights: Float32Array): Float32Array {
  const result = new Float32Array(weights.length);
  for (let i = 0; i < weights.length; i++) result[i] = weights[i]! * weights[i]!;
  return result;
}
