import { parseDocument } from "@espalier/bench";
import { z } from "zod";

const errors = z.strictObject({ mse: z.number(), mae: z.number() });
const share = z.number().nonnegative();

const run = z.strictObject({
  /** Which case, and of which seed. */
  case: z.string(),
  seed: z.int(),
  /** The case's settings, to notice when they have changed since. */
  settings: z.string(),
  /** Test errors right after what is removed was removed, and after its reconstruction; absent where only weights are masked. */
  untuned: z.strictObject({ pruned: errors, reconstructed: errors }).optional(),
  /** Validation MSE after each epoch, and the epoch, from 1, whose weights were kept. */
  validation: z.array(z.number()),
  best: z.int(),
  /** Of the weights that were kept. */
  test: errors,
  /** What is left, against the dense model; FLOPs with zeros skipped, bytes as stored. */
  left: z.strictObject({ parameters: share, nonzero: share, flops: share, bytes: share }),
  /** Share of the weights with two or more axes, of those not removed, that is masked. */
  masked: share,
  seconds: z.number(),
  digest: z.string(),
  date: z.string(),
});

const results = z.strictObject({
  format: z.literal(1),
  environment: z.strictObject({
    date: z.string(),
    processor: z.string(),
    cores: z.int(),
    platform: z.string(),
    node: z.string(),
    versions: z.record(z.string(), z.string()),
    dataChecksum: z.string(),
  }),
  dense: z.array(
    z.strictObject({
      model: z.string(),
      validation: errors,
      test: errors,
      parameters: z.int(),
      flops: z.int(),
    }),
  ),
  runs: z.array(run),
});

/** Every run of the study, with what it takes to repeat it. */
export type RecoveryResults = z.output<typeof results>;
export type RecoveryRun = z.output<typeof run>;

/** Reads results back. Throws an EspalierError where the text is not that, or is of a newer format. */
export function parseRecovery(text: string, where: string): RecoveryResults {
  return parseDocument(text, where, results, { content: "results of a study", format: "study" });
}
