import { EspalierError } from "@espalier/core";
import { z } from "zod";

/** The settings of a fit, with their bounds. */
export const settingsSchema = z.strictObject({
  epochs: z.int().min(0).default(10),
  batchSize: z.int().min(1).default(32),
  learningRate: z.number().positive().default(1e-4),
  /** `halving`: half the rate after each epoch; `constant`. */
  rateSchedule: z.enum(["halving", "constant"]).default("halving"),
  /** Epochs without a better validation error after which training stops; 0 never stops early. */
  patience: z.int().min(0).default(3),
  weightDecay: z.number().min(0).default(0),
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
  const result = settingsSchema.safeParse(options);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new EspalierError(`training setting ${issue!.path.join(".") || "object"}: ${issue!.message}.`);
}
