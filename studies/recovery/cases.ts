import type { StrategySpec, Target } from "@espalier/core";
import type { FitOptions } from "@espalier/training";

/** What a model is fine-tuned with after pruning, or while its masks tighten. */
export interface Tuning {
  readonly fit: FitOptions;
  /** Share of the loss that is the distance from the dense model's forecasts. */
  readonly distill: number;
  /** Share of all steps over which masks tighten, and the steps between two changes; 0 masks at once. */
  readonly until: number;
  readonly every: number;
}

/** One way to prune a checkpoint, and what of its error is to be left. */
export interface Case {
  readonly id: string;
  readonly model: ModelName;
  /** What is pruned, as the table says it. */
  readonly what: string;
  /** Removed at once, each stage reconstructed. */
  readonly removed: readonly { readonly strategy: StrategySpec; readonly target: Target }[];
  /** Masked while it is fine-tuned: a share of the weights with two or more axes, or a target. */
  readonly masked?: number | Target;
  /** Error after one-shot pruning and two epochs in PyTorch, as a line. */
  readonly peer?: string;
  /** Largest test MSE, mean of the seeds: as it is, or as a multiple of the dense model's. */
  readonly limit?: { readonly mse: number } | { readonly ofDense: number };
  readonly seeds: readonly number[];
  readonly tuning: Tuning;
}

export const modelNames = ["iTransformer", "PatchTST"] as const;
export type ModelName = (typeof modelNames)[number];

/** The recipe of every row: chosen on validation data, see `choices`. */
export const recipe: Tuning = {
  fit: {
    epochs: 5,
    batchSize: 32,
    learningRate: 4e-3,
    rateSchedule: "cosine",
    warmup: 0.05,
    patience: 0,
  },
  distill: 0.5,
  until: 0.6,
  every: 50,
};

const seeds = [1, 2, 3];

function masking(model: ModelName, share: number, rest: Pick<Case, "peer" | "limit">): Case {
  const percent = Math.round(100 * share);
  return {
    id: `${model}-masked-${percent}`,
    model,
    what: `${percent} % of the weights masked`,
    removed: [],
    masked: share,
    seeds,
    tuning: recipe,
    ...rest,
  };
}

function removing(model: ModelName, id: string, rest: Pick<Case, "what" | "removed"> & Partial<Case>): Case {
  return { id: `${model}-${id}`, model, seeds, tuning: recipe, ...rest };
}

const attention: StrategySpec = { use: "depth", modules: ["attention"], keepAtLeast: 0 };

/** Rows of the table. */
export const cases: readonly Case[] = [
  masking("iTransformer", 0.8, { peer: "global magnitude: .417", limit: { mse: 0.397 } }),
  masking("iTransformer", 0.9, { peer: "global magnitude: .464", limit: { mse: 0.403 } }),
  masking("iTransformer", 0.95, { peer: "global magnitude: .531", limit: { mse: 0.415 } }),
  masking("PatchTST", 0.8, { peer: "global magnitude: .701", limit: { mse: 0.393 } }),
  masking("PatchTST", 0.9, { peer: "global magnitude: .701", limit: { mse: 0.396 } }),
  masking("PatchTST", 0.95, { peer: "global magnitude: .701", limit: { mse: 0.405 } }),
  removing("iTransformer", "channels-72", {
    what: "channels: 72 % fewer parameters and FLOPs",
    removed: [{ strategy: { use: "channel" }, target: { flops: 0.277 } }],
    peer: "Torch-Pruning, L2 groups: .3993",
    limit: { mse: 0.396 },
  }),
  removing("iTransformer", "channels-91", {
    what: "channels: 91 % fewer parameters and FLOPs",
    removed: [{ strategy: { use: "channel" }, target: { flops: 0.088 } }],
    peer: "Torch-Pruning, L2 groups: .429",
    limit: { mse: 0.41 },
  }),
  removing("iTransformer", "combined", {
    what: "channels, then weights: 90 % fewer bytes, 80 % fewer FLOPs",
    removed: [{ strategy: { use: "channel" }, target: { flops: 0.35 } }],
    masked: { bytes: 0.098 },
    limit: { ofDense: 1.01 },
  }),
  removing("iTransformer", "attention", {
    what: "both attention modules removed (35 % fewer FLOPs asked)",
    removed: [{ strategy: attention, target: { flops: 0.5 } }],
    limit: { ofDense: 1 },
  }),
  removing("iTransformer", "dense", { what: "nothing: trained on with the same recipe", removed: [] }),
  removing("PatchTST", "dense", { what: "nothing: trained on with the same recipe", removed: [] }),
];

function choice(
  model: ModelName,
  what: string,
  fit: Partial<FitOptions>,
  tuning: Partial<Omit<Tuning, "fit">> = {},
): Case {
  const base = masking(model, 0.9, {});
  return {
    ...base,
    id: `${model}-choice: ${what}`,
    what,
    seeds: [0],
    tuning: { ...base.tuning, ...tuning, fit: { ...base.tuning.fit, ...fit } },
  };
}

const rates = [1e-3, 2e-3, 4e-3];

/** What the recipe was chosen from: 90 % masked, one seed that no row has; the validation error decides. */
export const choices: readonly Case[] = [
  ...modelNames.flatMap((model) =>
    rates.map((rate) => choice(model, `rate ${rate}`, { learningRate: rate })),
  ),
  // Tried when the rows above had begun.
  choice("iTransformer", "rate 0.008", { learningRate: 8e-3 }),
  choice("iTransformer", "rate halved after each epoch, no warm-up", { rateSchedule: "halving", warmup: 0 }),
  choice("iTransformer", "no distillation", {}, { distill: 0 }),
  choice("iTransformer", "three quarters of the loss distilled", {}, { distill: 0.75 }),
  choice("iTransformer", "masked at once", {}, { until: 0 }),
  choice(
    "iTransformer",
    "as the peers: rate 0.0001 halved after each epoch, 2 epochs, masked at once, no distillation",
    { epochs: 2, learningRate: 1e-4, rateSchedule: "halving", warmup: 0 },
    { until: 0, distill: 0 },
  ),
];
