import type { Model } from "../model/model.ts";
import { sortScores } from "../pruning/sort.ts";
import { type Criterion, weightsOf } from "./criterion.ts";
import { groupSums } from "./groups.ts";
import { squares } from "./magnitude.ts";

/**
 * Layer-adaptive magnitude: w² ÷ Σu² over the weights u of the same tensor that are at least as large. With scope
 * `global` it distributes sparsity over the layers by itself: the largest weight of every tensor scores
 * 1. Lee et al., ICLR 2021. For a group: Σw² as a share of its tensors' Σw².
 */
export const lamp: Criterion = {
  name: "lamp",
  weights: async ({ model }, tensors) => new Map(tensors.map((name) => [name, lampScores(model, name)])),
  indices: ({ model }, dimensions) =>
    groupSums(
      model,
      dimensions,
      async (tensors) => new Map(tensors.map((name) => [name, energyShares(weightsOf(model, name))])),
    ),
};

function lampScores(model: Model, name: string): Float32Array {
  const energies = squares(weightsOf(model, name));
  const sorted = sortScores(energies);
  // For each distinct square, the sum of those at least as large, accumulated from the largest down.
  const atLeast = new Map<number, number>();
  let sum = 0;
  for (let i = sorted.length - 1; i >= 0; i--) {
    sum += sorted[i]!;
    atLeast.set(sorted[i]!, sum);
  }
  return energies.map((energy) => (energy === 0 ? 0 : energy / atLeast.get(energy)!));
}

function energyShares(weights: Float32Array): Float32Array {
  const energies = squares(weights);
  const total = energies.reduce((sum, energy) => sum + energy, 0);
  return total === 0 ? energies : energies.map((energy) => energy / total);
}
