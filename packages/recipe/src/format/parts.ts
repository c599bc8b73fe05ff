import { type GapRule, gapRules, missingRules, scaleKinds, splitRule } from "@espalier/datasets";
import { mostEpochs, reconstructSchema, settingsSchema } from "@espalier/training";
import { z } from "zod";

/** Settings of one fit. The seed is the recipe's, or the step's. */
export const fittingSchema = settingsSchema
  .omit({ seed: true })
  .extend({ epochs: z.int().min(1).max(mostEpochs) });

/** Settings of reconstruction. The seed is the recipe's, or the step's. */
export const reconstructionSchema = reconstructSchema.omit({ seed: true });

/** Weight in the loss of the distance to the unpruned model's forecasts. */
export const distillSchema = z
  .number()
  .gt(0)
  .max(1)
  .describe("Weight in the loss of the distance to the unpruned model's forecasts.");

/** The data of a recipe. */
export const dataSchema = z.strictObject({
  dataset: z
    .string()
    .describe(
      "synthetic, a name from the catalogue, or a .csv file next to the recipe; by default the data that the model was trained on.",
    )
    .optional(),
  series: z.array(z.string()).nonempty().optional().describe("Series to use, in this order; all by default."),
  scale: z.enum(scaleKinds).optional().describe("How series are scaled."),
  splits: splitRule.optional().describe("Training, validation and test."),
  missing: z.enum(missingRules).optional().describe("How missing values are handled."),
  gaps: z
    .enum(gapRules as [GapRule, ...GapRule[]])
    .optional()
    .describe("How rows that are not one step apart are handled."),
  na: z
    .array(
      z.strictObject({
        column: z.string().optional().describe("In this column only."),
        values: z.array(z.string()).nonempty().describe("Text that means a missing value."),
      }),
    )
    .optional()
    .describe("Text that means a missing value."),
  dateColumn: z.string().optional().describe('The column of dates; "none" if there is none.'),
  dateFormat: z.string().optional().describe('How dates are written, such as "dd/MM/yyyy HH:mm".'),
  timeZone: z.string().optional().describe("Time zone with summer time, such as Europe/Berlin."),
  delimiter: z.string().min(1).optional().describe("Separator between cells."),
  decimal: z.enum([".", ","]).optional().describe("Decimal mark."),
  thousands: z.string().length(1).optional().describe("Separator between thousands."),
  encoding: z.string().optional().describe("Encoding, such as windows-1252."),
  pivot: z.string().optional().describe("The column that names the series, if each row holds one series."),
});

const drawnModelSchema = z
  .looseObject({
    use: z.string().describe("An architecture by name; all other keys are its options."),
    weights: z
      .string()
      .optional()
      .describe("A checkpoint to start from, next to the recipe: .safetensors, .pth."),
  })
  .describe("A model that the recipe draws.");

/** The model that a recipe starts from. */
export const modelSchema = z.union(
  [z.string().describe("A model file next to the recipe."), drawnModelSchema],
  {
    error: "expected the path of a model file, or { use: NAME, …options }",
  },
);

/** How a latency target is measured. */
export const latencySchema = z.strictObject({
  backend: z.string().optional().describe("wasm by default."),
  batch: z.int().min(1).optional().describe("Windows per call; 1 by default."),
  time: z.number().positive().optional().describe("Milliseconds of timing per model; 500 by default."),
});

/** Keys that recipes and the shorthand share. */
export const commonKeys = {
  $schema: z.string().optional().describe("For editors: the location of this schema."),
  label: z.string().optional().describe("Name of the recipe in charts and tables."),
  model: modelSchema.optional().describe("The model to prune; left out if the command line names it."),
  data: dataSchema.optional().describe("Data for calibration, training and test."),
  latency: latencySchema.optional().describe("How a latency target is measured."),
  backend: z.string().optional().describe("Backend that trains, calibrates and evaluates; wasm by default."),
  seed: z
    .int()
    .min(0)
    .optional()
    .describe("Seed of weights, dropout, the order of windows, and criteria; 0 by default."),
} as const;

/** A model that a recipe draws. */
export type DrawnModel = z.input<typeof drawnModelSchema>;
/** How a latency target is measured. */
export type LatencySettings = z.input<typeof latencySchema>;
