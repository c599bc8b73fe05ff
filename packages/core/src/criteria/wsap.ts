import type { Model } from "../model/model.ts";
import { type Criterion, weightsOf } from "./criterion.ts";
import { groupSums } from "./groups.ts";
import { l1 } from "./magnitude.ts";

/** Statistics of one tensor for weight-statistics-aware pruning. */
export interface WeightStatistics {
  /** Standard deviation ÷ |mean|; infinite if the mean is 0. */
  readonly coefficientOfVariation: number;
  /** Published share of its weights to remove: 0.3, 0.5 or 0.7. */
  readonly ratio: number;
}

/** The amount that corresponds to the published ratios. */
const publishedAmount = 0.5;

/**
 * SEDIMARK's ratios. The weight tensors of the model are ranked by their coefficient of variation: above the 66th
 * percentile 70 % of the weights are removed, above the 33rd 50 %, else 30 %. The ranking covers trainable tensors
 * named `…weight…`, including norms (which are never cut), or all trainable tensors if none has such a name.
 */
export function weightStatistics(model: Model): ReadonlyMap<string, WeightStatistics> {
  const trainable = model.graph.tensors.flatMap(({ name, role }) => (role === "trainable" ? [name] : []));
  const named = trainable.filter((name) => name.includes("weight"));
  const ranked = named.length > 0 ? named : trainable;
  const variations = ranked.map((name) => coefficientOfVariation(weightsOf(model, name)));
  const sorted = variations.toSorted((a, b) => a - b);
  const [low, high] = [percentile(sorted, 0.33), percentile(sorted, 0.66)];
  const ratioOf = (variation: number) => (variation > high ? 0.7 : variation > low ? 0.5 : 0.3);
  return new Map(
    ranked.map((name, i) => [
      name,
      { coefficientOfVariation: variations[i]!, ratio: ratioOf(variations[i]!) },
    ]),
  );
}

/**
 * Weight-statistics-aware pruning (SEDIMARK): magnitude within a tensor, with a share for each tensor from its
 * statistics. At amount 0.5 the shares are the published 0.3, 0.5 and 0.7; other amounts a keep (1 − ratio)^(ln(1 − a)
 * ÷ ln 0.5).
 */
export const wsap: Criterion = {
  name: "wsap",
  weights: l1.weights,
  async indices({ model }, dimensions) {
    const statistics = weightStatistics(model);
    // Tensors that would lose more weights contribute less to the decision what to keep.
    const scaled = async (tensors: readonly string[]) =>
      new Map(
        tensors.map((name) => {
          const share = 1 - (statistics.get(name)?.ratio ?? publishedAmount);
          return [name, weightsOf(model, name).map((w) => Math.abs(w) * share)];
        }),
      );
    return groupSums(model, dimensions, scaled);
  },
  shares(model, tensors, amount) {
    const power = Math.log1p(-amount) / Math.log1p(-publishedAmount);
    const statistics = weightStatistics(model);
    return new Map(
      tensors.flatMap((name) => {
        const known = statistics.get(name);
        return known === undefined ? [] : [[name, 1 - (1 - known.ratio) ** power] as const];
      }),
    );
  },
};

function coefficientOfVariation(weights: Float32Array): number {
  const mean = weights.reduce((sum, w) => sum + w, 0) / weights.length;
  const variance = weights.reduce((sum, w) => sum + (w - mean) ** 2, 0) / weights.length;
  return mean === 0 ? Number.POSITIVE_INFINITY : Math.sqrt(variance) / Math.abs(mean);
}

/** Percentile of sorted numbers with linear interpolation, like NumPy's. */
function percentile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  const [a, b] = [sorted[below]!, sorted[above]!];
  return a === b ? a : a + (b - a) * (at - below);
}
