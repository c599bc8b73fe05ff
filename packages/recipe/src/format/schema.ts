import { missingRules, scaleKinds, splitRule } from "@espalier/datasets";
import { curveNames, gradualSchema, reconstructSchema, settingsSchema } from "@espalier/training";
import { z } from "zod";
import { useSchema } from "../registry/use.ts";
import { targetSchema } from "./target.ts";

/** The seed is the recipe's: one for everything. */
const fitting = settingsSchema.omit({ seed: true }).extend({ epochs: z.int().min(1) });

const drawnModel = z
  .looseObject({
    use: z.string().describe("An architecture by name; all other keys are its options."),
    weights: z
      .string()
      .optional()
      .describe("A checkpoint to start from, beside the recipe: .safetensors, .pth."),
  })
  .describe("A model that is drawn, and trained as `training` says.");

const data = z.strictObject({
  dataset: z
    .string()
    .describe(
      "synthetic, a name of the catalogue, or a .csv file beside the recipe; what the model was trained on where left out.",
    )
    .optional(),
  series: z
    .array(z.string())
    .nonempty()
    .optional()
    .describe("Series to take, in this order; all by default."),
  scale: z.enum(scaleKinds).optional().describe("How series are scaled."),
  splits: splitRule.optional().describe("Training, validation and test."),
  missing: z.enum(missingRules).optional().describe("What to do about missing values."),
  dateColumn: z.string().optional().describe('The column of dates; "none" for none.'),
  delimiter: z.string().min(1).optional().describe("What separates cells."),
  decimal: z.enum([".", ","]).optional().describe("The decimal mark."),
});

const schedule = z.strictObject({
  steps: z.int().min(1).optional().describe("Reach the target in so many steps, fine-tuning after each."),
  curve: z.enum(curveNames).optional().describe("How the steps grow; exponential by default."),
  tune: z.enum(["each", "last"]).optional().describe("With several strategies: fine-tune after which."),
  gradual: gradualSchema
    .omit({ curve: true })
    .optional()
    .describe("Masks tighten while the model is fine-tuned, not before."),
});

/** A recipe: everything that `espalier prune` is told, as one file. */
export const recipeSchema = z
  .strictObject({
    $schema: z.string().optional().describe("For editors: where this schema is."),
    format: z.literal(1).optional().describe("Version of the recipe format."),
    model: z
      .union([z.string().describe("A model file beside the recipe."), drawnModel], {
        error: "expected the path of a model file, or { use: NAME, …options }",
      })
      .optional()
      .describe("What is pruned; left out where the command line names it."),
    training: fitting.optional().describe("How a drawn model is trained before it is pruned."),
    data: data.optional().describe("What is calibrated, tuned and tested on."),
    strategies: z
      .array(useSchema)
      .nonempty()
      .describe("In order. `use` names one; all other keys are its options."),
    combined: z
      .looseObject({})
      .optional()
      .describe("Options of several strategies together, such as weights."),
    target: targetSchema.describe("Shares of the unpruned model; several must all be met."),
    acceptNearest: z.boolean().optional().describe("Take the nearest plan where the target cannot be met."),
    latency: z
      .strictObject({
        backend: z.string().optional().describe("wasm by default."),
        batch: z.int().min(1).optional().describe("Windows a call; 1 by default."),
        time: z
          .number()
          .positive()
          .optional()
          .describe("Milliseconds each model is timed for; 500 by default."),
      })
      .optional()
      .describe("What a latency target is measured on."),
    reconstruction: reconstructSchema
      .omit({ seed: true })
      .optional()
      .describe("Refits what is left to the unpruned layers' outputs, without labels; {} for the defaults."),
    schedule: schedule.optional().describe("In how many steps, and when to fine-tune."),
    fineTuning: fitting
      .extend({
        distill: z
          .number()
          .gt(0)
          .max(1)
          .optional()
          .describe("Share of the loss that keeps near the unpruned model's forecasts."),
      })
      .optional()
      .describe("How the pruned model is trained; not at all where left out."),
    backend: z.string().optional().describe("What trains, calibrates and evaluates; wasm by default."),
    seed: z
      .int()
      .min(0)
      .optional()
      .describe("Of weights, dropout, the order of windows, and criteria; 0 by default."),
  })
  .check(({ value, issues }) => {
    for (const [path, message] of contradictions(value))
      issues.push({ code: "custom", input: value, path, message });
  });

/** A recipe as it is written: what is left out has the defaults of the commands. */
export type Recipe = z.input<typeof recipeSchema>;
/** A model that a recipe draws. */
export type DrawnModel = z.input<typeof drawnModel>;

type Contradiction = [path: string[], message: string];

function contradictions(recipe: z.output<typeof recipeSchema>): Contradiction[] {
  const {
    model,
    training,
    target,
    latency,
    schedule = {},
    fineTuning,
    strategies,
    combined,
    reconstruction,
  } = recipe;
  const { steps, curve, tune, gradual } = schedule;
  const drawn = typeof model === "object";
  const found: (Contradiction | false)[] = [
    training !== undefined && !drawn && [["training"], "is of a model that is drawn: give model.use"],
    drawn &&
      training === undefined &&
      model.weights === undefined && [["model"], "has no weights yet: give training, or model.weights"],
    latency !== undefined &&
      target.latency === undefined && [["latency"], "says where to measure: give target.latency, too"],
    (steps !== undefined || tune !== undefined || gradual !== undefined) &&
      fineTuning === undefined && [["schedule"], "is of fine-tuning: give fineTuning"],
    curve !== undefined &&
      steps === undefined &&
      gradual === undefined && [["schedule", "curve"], "is of steps: give schedule.steps, or gradual"],
    gradual !== undefined &&
      (steps !== undefined || tune !== undefined) && [
        ["schedule", "gradual"],
        "goes on within one fit: leave steps and tune out",
      ],
    gradual !== undefined &&
      reconstruction !== undefined && [
        ["reconstruction"],
        "comes between pruning and tuning: leave gradual out",
      ],
    gradual !== undefined &&
      target.latency !== undefined && [
        ["target", "latency"],
        "cannot be measured while training: leave gradual out",
      ],
    steps !== undefined && tune === "each" && [["schedule", "tune"], "give steps, or tune: each; not both"],
    combined !== undefined &&
      strategies.length === 1 && [["combined"], "is of several strategies: there is one"],
  ];
  return found.filter((one) => one !== false);
}
