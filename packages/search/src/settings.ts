import { readBy } from "@espalier/core/documents";
import { z } from "zod";

/** The keys of a search's settings in a search file. */
export const settingsShape = {
  epochs: z.int().min(1).default(9).describe("Epochs of a full fine-tuning."),
  reduction: z
    .int()
    .min(2)
    .default(3)
    .describe("Of so many candidates one is tuned for so many times as long (successive halving)."),
  batchesPerEpoch: z
    .int()
    .min(1)
    .optional()
    .describe("At most this many batches per epoch, drawn at random; all by default."),
  proposals: z
    .int()
    .min(1)
    .default(3)
    .describe("Points that compete for each candidate by their one-shot error; 1 trains every proposal."),
  front: z
    .boolean()
    .optional()
    .describe(
      "Spread the search over all errors up to the limit: for the front of sizes and errors more than for the chosen model.",
    ),
  windows: z.int().min(1).default(256).describe("Validation windows, evenly spaced, for one-shot errors."),
  repeats: z.int().min(1).default(3).describe("Seeds that the chosen recipe is run with, its own included."),
  seed: z.int().min(0).default(0).describe("Seed of the proposals and of the first run of every recipe."),
  backend: z.string().default("wasm").describe("Backend that trains, calibrates and evaluates."),
} as const;

const settingsSchema = z.strictObject(settingsShape);

/** How a search proceeds. */
export type Settings = z.output<typeof settingsSchema>;
/** The same as given by the caller: what is left out gets its default. */
export type SettingsInput = z.input<typeof settingsSchema>;

/** Checks settings and fills in defaults. Throws an EspalierError that names the setting. */
export function readSettings(settings: SettingsInput): Settings {
  return readBy(settingsSchema, settings, "search");
}

/**
 * Epochs of the rungs of successive halving, the full length last: 9 epochs and a reduction of 3 give 1, 3, 9.
 */
export function rungsOf({ epochs, reduction }: Pick<Settings, "epochs" | "reduction">): number[] {
  const shorter = Math.round(epochs / reduction);
  return shorter >= 1 && shorter < epochs ? [...rungsOf({ epochs: shorter, reduction }), epochs] : [epochs];
}
