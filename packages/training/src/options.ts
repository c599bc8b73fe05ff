import { readBy } from "@espalier/core/documents";
import { z } from "zod";

/** Settings of regrowth: Evci et al., ICML 2020. */
const regrowSchema = z.strictObject({
  /** Steps from one change to the next. */
  every: z.int().min(1).default(100),
  /** Initial share of the kept weights of each tensor that is exchanged; it falls to zero along half a cosine. */
  share: z.number().gt(0).lt(1).default(0.3),
  /** Share of all steps after which masks no longer change. */
  until: z.number().gt(0).lt(1).default(0.75),
});

/** How masks regrow during training. */
export type RegrowSettings = z.output<typeof regrowSchema>;

/** More is a slip of the keyboard, not a training. */
export const mostEpochs = 1_000_000;

/** The settings of a fit, with their bounds. */
export const settingsSchema = z.strictObject({
  epochs: z.int().min(0).max(mostEpochs).default(10),
  batchSize: z.int().min(1).max(1_000_000).default(32),
  learningRate: z.number().positive().default(1e-4),
  /**
   * `cosine`: falls to a hundredth, step by step, over all epochs; `halving`: halves after each epoch, so that epochs
   * after the tenth change little; `constant`.
   */
  rateSchedule: z.enum(["cosine", "halving", "constant"]).default("cosine"),
  /** Share of all steps during which the rate rises from zero. */
  warmup: z.number().min(0).lt(1).default(0),
  /** Epochs without a better validation error after which training stops; 0 never stops early. */
  patience: z.int().min(0).default(3),
  weightDecay: z.number().min(0).default(0),
  /** Weight in the loss of a group lasso on parts that structured strategies can remove; 0 for none. */
  groupPenalty: z.number().min(0).default(0),
  /** Masks that move during training (RigL); absent for fixed masks. */
  regrow: regrowSchema.optional(),
  seed: z.int().min(0).default(0),
  /** At most this many batches per epoch, drawn at random; all by default. */
  batchesPerEpoch: z.int().min(1).optional(),
});

/** Settings of a training; each has a default. */
export type FitSettings = z.output<typeof settingsSchema>;
/** Settings of a fit as given by the caller: those left out get their default. */
export type FitOptions = z.input<typeof settingsSchema>;

/** Checks settings and fills in defaults. Throws an EspalierError that names the setting. */
export function readSettings(options: FitOptions): FitSettings {
  return readBy(settingsSchema, options, "training settings");
}
