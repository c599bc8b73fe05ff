import {
  EspalierError,
  type IndexScores,
  type Model,
  type PrunableDimension,
  prunableDimensions,
  type Strategy,
  type StrategyPlugin,
} from "@espalier/core";
import { checkAmount, nothingToPrune, removeWeakest, writePlan } from "@espalier/core/pruning";

export interface SlimmingOptions {
  /** Kept widths are rounded up to a multiple of this; 1 by default. */
  readonly multipleOf?: number;
}

/**
 * Network slimming (Liu et al., ICCV 2017), for transformers: removes embedding channels whose normalisations scale them
 * least. The importance of a channel is Σ|γ| over all scales γ that multiply it. `amount` is the share of channels.
 */
export function slimming({ multipleOf = 1 }: SlimmingOptions = {}): Strategy {
  if (!Number.isInteger(multipleOf) || multipleOf < 1) {
    throw new EspalierError(
      `strategy "slimming": multipleOf must be a whole number from 1 on, not ${multipleOf}.`,
    );
  }
  return {
    name: "slimming",
    async plan({ model, amount }) {
      checkAmount(amount);
      const scores = prunableDimensions(model.dimensions)
        .filter(({ kind }) => kind === "embedding")
        .flatMap((dimension) => scaleScores(model, dimension) ?? []);
      if (scores.length === 0) {
        return nothingToPrune(model, "slimming", "normalised channel", ({ kind }) => kind === "embedding");
      }
      const steps = removeWeakest(scores, { amount, scope: "local", keepAtLeast: 1, multipleOf });
      return writePlan(model, "slimming", steps);
    },
  };
}

/** Σ|γ| for each index, over the scales of LayerNormalization and BatchNormalization; undefined if none has the dimension. */
function scaleScores(model: Model, dimension: PrunableDimension): IndexScores | undefined {
  const { graph } = model;
  const scales = graph.nodes
    .filter(
      ({ operator }) => operator.name === "LayerNormalization" || operator.name === "BatchNormalization",
    )
    .map(({ inputs }) => graph.tensors.find(({ value }) => value === inputs[1])?.name);
  const own = dimension.members.filter(({ tensor, place }) => place === 0 && scales.includes(tensor));
  if (own.length === 0) return undefined;
  const values = new Float64Array(dimension.size);
  for (const { tensor } of own) {
    const gamma = model.tensors.get(tensor)!.data;
    for (let i = 0; i < values.length; i++) values[i]! += Math.abs(gamma[i]!);
  }
  return { dimension, outer: 1, values };
}

/** Lets commands and sweeps find the strategy: `espalier prune … --plugin <this package> --strategy slimming`. */
export const plugin: StrategyPlugin = {
  name: "slimming",
  description: "remove embedding channels that normalisations scale least",
  options: { multipleOf: "kept widths are rounded up to a multiple of this (1)" },
  create: (options) => slimming(options),
};
