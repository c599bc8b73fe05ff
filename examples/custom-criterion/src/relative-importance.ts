import type { Criterion, Model } from "@espalier/core";
import { groupSums, weightsOf } from "@espalier/core/pruning";

/**
 * Relative importance: |w| ÷ Σ|row| + |w| ÷ Σ|column| (Zhang et al., ICLR 2024). A weight counts by its share of what
 * goes into its output and of what leaves its input, so that no row and no column is starved while others stay full.
 */
export const relativeImportance: Criterion = {
  name: "relative-importance",
  weights: async ({ model }, tensors) => new Map(tensors.map((name) => [name, scoresOf(model, name)])),
  indices: ({ model }, dimensions) =>
    groupSums(
      model,
      dimensions,
      async (tensors) => new Map(tensors.map((name) => [name, scoresOf(model, name)])),
    ),
};

/** One number a weight. Axes after the first count as one: [out, in, kernel] is a matrix of out × (in · kernel). */
function scoresOf(model: Model, name: string): Float32Array {
  const weights = weightsOf(model, name);
  const rows = model.tensors.get(name)!.shape[0]!;
  const columns = weights.length / rows;
  const rowSums = new Float64Array(rows);
  const columnSums = new Float64Array(columns);
  for (let i = 0; i < weights.length; i++) {
    rowSums[Math.floor(i / columns)]! += Math.abs(weights[i]!);
    columnSums[i % columns]! += Math.abs(weights[i]!);
  }
  // A row of zeros has nothing to share.
  const share = (w: number, sum: number) => (sum === 0 ? 0 : Math.abs(w) / sum);
  return weights.map(
    (w, i) => share(w, rowSums[Math.floor(i / columns)]!) + share(w, columnSums[i % columns]!),
  );
}
