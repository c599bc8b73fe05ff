import { readBy } from "@espalier/core/documents";
import { z } from "zod";

/** How masks regrow: Evci et al., ICML 2020. */
const regrowSchema = z.strictObject({
  /** Steps from one change to the next. */
  every: z.int().min(1).default(100),
  /** Share of the kept weights of each tensor that is exchanged at first; it falls to zero along half a cosine. */
  share: z.number().gt(0).lt(1).default(0.3),
  /** Share of all steps after which masks stay. */
  until: z.number().gt(0).lt(1).default(0.75),
});

/** How masks regrow while a model is trained. */
export type RegrowSettings = z.output<typeof regrowSchema>;

/** The settings of a fit, with their bounds. */
export const settingsSchema = z.strictObject({
  epochs: z.int().min(0).default(10),
  batchSize: z.int().min(1).default(32),
  learningRate: z.number().positive().default(1e-4),
  /**
   * `cosine`: down to a hundredth, step by step, over however many epochs there are; `halving`: half the rate after each
   * epoch, so that those after the tenth change little; `constant`.
   */
  rateSchedule: z.enum(["cosine", "halving", "constant"]).default("cosine"),
  /** Share of all steps over which the rate rises from zero first. */
  warmup: z.number().min(0).lt(1).default(0),
  /** Epochs without a better validation error after which training stops; 0 never stops early. */
  patience: z.int().min(0).default(3),
  weightDecay: z.number().min(0).default(0),
  /** Group lasso on what structured strategies remove: its part of the loss; 0 for none. */
  groupPenalty: z.number().min(0).default(0),
  /** Masks that move while training (RigL); absent for masks that stay. */
  regrow: regrowSchema.optional(),
  seed: z.int().min(0).default(0),
  /** At most this many batches an epoch, drawn at random; all by default. */
  batchesPerEpoch: z.int().min(1).optional(),
});

/** How a model is trained; every setting has a default. */
export type FitSettings = z.output<typeof settingsSchema>;
/** Settings of a fit as they are given: what is left out has its default. */
export type FitOptions = z.input<typeof settingsSchema>;

/** Checks settings and fills in defaults. Throws an EspalierError that names the setting. */
export function readSettings(options: FitOptions): FitSettings {
  return readBy(settingsSchema, options, "training settings");
}
