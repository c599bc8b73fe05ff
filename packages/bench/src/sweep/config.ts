import { EspalierError } from "@espalier/core";
import { targetShares, useSchema } from "@espalier/recipe";
import { parse as parseYaml } from "yaml";
import { z } from "zod";

const targetSchema = z.union([
  z.strictObject({ sparsity: targetShares.sparsity }),
  z.strictObject({ parameters: targetShares.parameters }),
  z.strictObject({ flops: targetShares.flops }),
  z.strictObject({ bytes: targetShares.bytes }),
]);

const trainingSchema = z.strictObject({
  epochs: z.int().min(0),
  batchSize: z.int().min(1).optional(),
  learningRate: z.number().positive().optional(),
  rateSchedule: z.enum(["halving", "cosine", "constant"]).optional(),
  warmup: z.number().min(0).lt(1).optional(),
  groupPenalty: z.number().min(0).optional(),
  patience: z.int().min(0).optional(),
  weightDecay: z.number().min(0).optional(),
  batchesPerEpoch: z.int().min(1).optional(),
});

const sweepSchema = z.strictObject({
  /** Shown as the report's title. */
  name: z.string().default("sweep"),
  /** What a reader of the report has to know before its figures. */
  note: z.string().optional(),
  /** Models by name; all other keys are options of the model. Lengths and series come from the data. */
  models: z.array(useSchema).nonempty(),
  /** Data sets by name of the catalogue, `synthetic`, or a path to a CSV file. */
  datasets: z.array(z.string()).nonempty(),
  inputLength: z.int().min(1).default(96),
  horizon: z.int().min(1).default(96),
  scale: z.enum(["standard", "min-max", "none"]).default("standard"),
  missing: z.enum(["error", "forward-fill", "interpolate", "drop"]).optional(),
  /** At most so many windows of validation and of test, evenly spaced, for data of many thousands; all by default. */
  evaluationWindows: z.int().min(1).optional(),
  /** Strategies by name; all other keys are options; `label` names it in charts. */
  strategies: z.array(useSchema).nonempty(),
  targets: z.array(targetSchema).nonempty(),
  /** How dense models are trained. */
  training: trainingSchema.default({ epochs: 10 }),
  /** How pruned models are fine-tuned; several variants are compared. `epochs: 0` does not. */
  fineTuning: z
    .array(trainingSchema)
    .nonempty()
    .default([{ epochs: 0 }]),
  /** What trains and evaluates. */
  trainingBackend: z.string().default("wasm"),
  /** What latency is measured on; `available` stands for every backend that can run here. */
  backends: z.array(z.string()).nonempty().default(["wasm"]),
  batchSizes: z.array(z.int().min(1)).nonempty().default([1, 32]),
  seeds: z.array(z.int().min(0)).nonempty().default([0]),
  /** Milliseconds each of dense and pruned is timed for, and the least number of samples. */
  latency: z
    .strictObject({ time: z.number().positive(), samples: z.int().min(5) })
    .default({ time: 500, samples: 20 }),
  /** Targets whose models are timed; all by default. */
  timedTargets: z.array(targetSchema).optional(),
  /** Errors when each layer of a dense model alone is pruned, without fine-tuning; not measured by default. */
  sensitivity: z
    .strictObject({
      /** Shares of the layer's weights to mask. */
      amounts: z.array(z.number().min(0).lt(1)).nonempty().default([0.5, 0.9]),
      /** Windows of the validation split, evenly spaced. */
      windows: z.int().min(1).default(256),
    })
    .optional(),
});

/** What a sweep runs over; every combination is a cell. */
export type SweepConfig = z.output<typeof sweepSchema>;
/** A sweep as it is written down: what is left out gets its default. */
export type SweepInput = z.input<typeof sweepSchema>;
/** How a model is trained or fine-tuned. */
export type TrainingConfig = z.output<typeof trainingSchema>;

/** Checks a sweep's configuration and fills in defaults. Throws an EspalierError that names the place. */
export function readSweepConfig(input: unknown, where = "sweep"): SweepConfig {
  const result = sweepSchema.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues
    .slice(0, 4)
    .map((i) => `${i.path.join(".") || "top level"}: ${i.message}`);
  throw new EspalierError(`${where}: ${issues.join("; ")}.`);
}

/** Reads YAML or JSON (which is YAML). */
export function parseSweepConfig(text: string, where: string): SweepConfig {
  let raw: unknown;
  try {
    raw = parseYaml(text, { maxAliasCount: 50 });
  } catch (error) {
    throw new EspalierError(
      `${where}: this is neither YAML nor JSON (${String((error as Error).message).split("\n")[0]}).`,
    );
  }
  return readSweepConfig(raw, where);
}

/** The JSON schema of sweep files, for editors and documentation. */
export function sweepJsonSchema(): unknown {
  return z.toJSONSchema(sweepSchema, { io: "input" });
}
