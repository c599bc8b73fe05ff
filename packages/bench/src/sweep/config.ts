import { EspalierError } from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { missingRules, scaleKinds } from "@espalier/datasets";
import {
  distillSchema,
  latencySchema,
  readYaml,
  reconstructionSchema,
  scheduleSchema,
  stepSchema,
  targetSchema,
  useSchema,
} from "@espalier/recipe";
import { mostEpochs, settingsSchema } from "@espalier/training";
import { z } from "zod";

/** Settings of a fit; keys that are left out stay so, and the names of cells with them. */
export const trainingSchema: z.ZodType<TrainingConfig, TrainingConfig> = z.strictObject({
  ...withoutDefaults(settingsSchema.omit({ seed: true, epochs: true }).shape),
  epochs: z.int().min(0).max(mostEpochs),
}) as unknown as z.ZodType<TrainingConfig, TrainingConfig>;

/** Settings of a fine-tuning, likewise. */
export const tuningSchema: z.ZodType<TuningConfig, TuningConfig> = z.strictObject({
  ...withoutDefaults(settingsSchema.omit({ seed: true, epochs: true }).shape),
  epochs: z.int().min(0).max(mostEpochs),
  distill: distillSchema.optional(),
}) as unknown as z.ZodType<TuningConfig, TuningConfig>;

/** How a model is trained. */
export interface TrainingConfig extends Omit<Partial<z.input<typeof settingsSchema>>, "seed" | "epochs"> {
  readonly epochs: number;
}

/** How a pruned model is fine-tuned. */
export interface TuningConfig extends TrainingConfig {
  readonly distill?: number | undefined;
}

/** A recipe in a sweep. */
export const recipeSchema = z.strictObject({
  label: z.string().describe("Name of the recipe in charts and tables."),
  target: targetSchema.optional().describe("The recipe's target, if the sweep gives none."),
  steps: z.array(stepSchema).nonempty().describe("The same as in a recipe file."),
  latency: latencySchema.optional(),
});

/** A recipe in a sweep: its steps, and its label. */
export type SweepRecipe = z.input<typeof recipeSchema>;

/** Kinds of cells of a sweep. */
export const cellKinds = ["train", "prune", "sensitivity", "latency"] as const;

/** Forms in which a model file can store rounded weights. */
export const storeSchema = z.array(z.enum(["int8", "float16"])).nonempty();

/** A sweep file. */
export const sweepSchema = z.strictObject({
  /** Shown as the report's title. */
  name: z.string().default("sweep"),
  /** Information that a reader of the report needs before the figures. */
  note: z.string().optional(),
  /** Models by name; all other keys are options of the model. Lengths and series come from the data. */
  models: z.array(useSchema).nonempty(),
  /** Data sets by name from the catalogue, `synthetic`, or a path to a CSV file. */
  datasets: z.array(z.string()).nonempty(),
  inputLength: z.int().min(1).default(96),
  horizon: z.int().min(1).default(96),
  scale: z.enum(scaleKinds).default("standard"),
  missing: z.enum(missingRules).optional(),
  /** At most this many windows of validation and of test, evenly spaced, for data with many thousands; all by default. */
  evaluationWindows: z.int().min(1).optional(),
  /**
   * Recipes: lists of steps, or paths of recipe files next to the sweep. Steps without a target use each of the sweep's
   * targets.
   */
  recipes: z.array(z.union([z.string(), recipeSchema])).optional(),
  /** Strategies by name; all other keys are options; `label` names it in charts. Each prunes at once, then fine-tunes. */
  strategies: z.array(useSchema).default([]),
  /** One metric each, or several that must all be met. */
  targets: z.array(targetSchema).default([]),
  /** How dense models are trained. */
  training: trainingSchema.default({ epochs: 10 }),
  /** How pruned models are fine-tuned; several variants are compared. `epochs: 0` disables it. */
  fineTuning: z
    .array(tuningSchema)
    .nonempty()
    .default([{ epochs: 0 }]),
  /** Refits the remaining weights to the unpruned layers' outputs, before fine-tuning. */
  reconstruction: reconstructionSchema.optional(),
  /** The number of steps of strategies, and when to fine-tune. */
  schedule: scheduleSchema.optional(),
  /** The backend that trains and evaluates. */
  trainingBackend: z.string().default("wasm"),
  /** Backends to time on; `available` stands for every backend that can run here. */
  backends: z.array(z.string()).nonempty().default(["wasm"]),
  batchSizes: z.array(z.int().min(1)).nonempty().default([1, 32]),
  seeds: z.array(z.int().min(0)).nonempty().default([0]),
  /** Milliseconds of timing for each of dense and pruned, and the minimum number of samples. */
  latency: z
    .strictObject({ time: z.number().positive(), samples: z.int().min(5) })
    .default({ time: 500, samples: 20 }),
  /** Targets whose models are timed; all by default. */
  timedTargets: z.array(targetSchema).optional(),
  /** Errors when one layer of a dense model at a time is pruned, without fine-tuning; by default not measured. */
  sensitivity: z
    .strictObject({
      /** Shares of the layer's weights to mask. */
      amounts: z.array(z.number().min(0).lt(1)).nonempty().default([0.5, 0.9]),
      /** Number of windows of the validation split, evenly spaced. */
      windows: z.int().min(1).default(256),
    })
    .optional(),
  /**
   * Forms of rounded weights to evaluate every model with, too: one evaluation each. By default only the size of the int8
   * file is recorded. Models of a sweep without it are made again.
   */
  store: storeSchema
    .optional()
    .describe(
      "Also evaluates every model with its weights rounded to int8 or float16, as its file may store them.",
    ),
  /** Kinds of cells to run; all by default. Times can so be taken later, when the machine has nothing else to do. */
  only: z.array(z.enum(cellKinds)).nonempty().optional(),
});

/** Everything a sweep runs over; every combination is a cell. */
export interface SweepConfig extends Omit<z.output<typeof sweepSchema>, "recipes"> {
  readonly recipes: readonly SweepRecipe[];
}
/** A sweep as it is written: keys that are left out get their defaults. */
export type SweepInput = z.input<typeof sweepSchema>;

/** Checks a sweep's configuration and fills in defaults. Throws an EspalierError that names the place. */
export function readSweepConfig(input: unknown, where = "sweep"): SweepConfig {
  return checked(input, (path) => `${where}${path.length === 0 ? "" : `, ${path.map(String).join(".")}`}`);
}

/** Reads YAML or JSON (which is YAML). Throws an EspalierError that names the line. */
export function parseSweepConfig(text: string, where: string): SweepConfig {
  const { value, line } = readYaml(text, where);
  const key = (path: readonly PropertyKey[]) => (path.length === 0 ? "" : `, ${path.map(String).join(".")}`);
  return checked(value, (path) => `${where}, line ${line(path)}${key(path)}`);
}

function checked(input: unknown, place: (path: readonly PropertyKey[]) => string): SweepConfig {
  const data = readBy(sweepSchema, input, place);
  // Unparsed: their defaults are the recipe's own, and not part of a cell's id.
  const recipes = (input as SweepInput).recipes ?? [];
  recipes.forEach((recipe, i) => {
    if (typeof recipe === "string")
      throw new EspalierError(
        `${place(["recipes", i])}: "${recipe}" is a file, which only sweep files may name.`,
      );
  });
  if (recipes.length + data.strategies.length === 0)
    throw new EspalierError(`${place([])}: give strategies or recipes.`);
  if (data.strategies.length > 0 && data.targets.length === 0)
    throw new EspalierError(`${place([])}: strategies need targets.`);
  return { ...data, recipes: recipes as readonly SweepRecipe[] };
}

/** The JSON schema of sweep files, for editors and documentation. */
export function sweepJsonSchema(): unknown {
  return z.toJSONSchema(sweepSchema, { io: "input", unrepresentable: "any" });
}

function withoutDefaults(shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => [
      key,
      (schema instanceof z.ZodDefault ? (schema.removeDefault() as z.ZodType) : schema).optional(),
    ]),
  );
}
