import { curveNames, gradualSchema } from "@espalier/training";
import { z } from "zod";
import { useSchema } from "../registry/use.ts";
import { commonKeys, distillSchema, fittingSchema, reconstructionSchema } from "./parts.ts";
import { targetSchema } from "./target.ts";

/** The number of steps, and when to fine-tune. */
export const scheduleSchema = z.strictObject({
  steps: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe("Reach the target in this many steps, with fine-tuning after each."),
  curve: z.enum(curveNames).optional().describe("How the steps grow; exponential by default."),
  tune: z
    .enum(["each", "last"])
    .optional()
    .describe("With several strategies: fine-tune after each, or only after the last."),
  gradual: gradualSchema
    .omit({ curve: true })
    .optional()
    .describe("Masks tighten during fine-tuning, not before."),
});

/**
 * The shorthand of a recipe, which is format 1: strategies, one target, and how to tune. The options of `espalier
 * prune` express the same thing. `expand` turns it into steps.
 */
export const shorthandSchema = z.strictObject({
  ...commonKeys,
  format: z.literal(1).optional().describe("Version of the recipe format."),
  training: fittingSchema.optional().describe("How a drawn model is trained before it is pruned."),
  strategies: z
    .array(useSchema)
    .nonempty()
    .describe("In order. `use` names one; all other keys are its options."),
  combined: z.looseObject({}).optional().describe("Options of several strategies together, such as weights."),
  target: targetSchema.describe("Shares of the unpruned model; if several, all must be met."),
  acceptNearest: z.boolean().optional().describe("Take the nearest plan if the target cannot be met."),
  reconstruction: reconstructionSchema
    .optional()
    .describe(
      "Refit the remaining weights to the unpruned layers' outputs, without labels; {} for the defaults.",
    ),
  schedule: scheduleSchema.optional().describe("The number of steps, and when to fine-tune."),
  fineTuning: fittingSchema
    .extend({ distill: distillSchema.optional() })
    .optional()
    .describe("How the pruned model is trained; by default it is not."),
});

/** A recipe in shorthand, as it is written. */
export type Shorthand = z.input<typeof shorthandSchema>;

/** A setting that contradicts another. */
export interface Contradiction {
  /** The setting to change. */
  readonly path: readonly string[];
  readonly message: string;
}

/** The name of a setting in an interface: a path in a recipe, an option on a command line. */
export type NameOf = (path: string) => string;

/**
 * Settings of a shorthand that contradict each other, or have no effect. `name` phrases them in the terms of the user's
 * interface.
 */
export function contradictionsIn(
  shorthand: Partial<Shorthand>,
  name: NameOf = (path) => path,
): Contradiction[] {
  const { model, training, target = {}, latency, schedule = {}, fineTuning, strategies = [] } = shorthand;
  const { combined, reconstruction } = shorthand;
  const { steps, curve, tune, gradual } = schedule;
  const found: Contradiction[] = [];
  const refuse = (path: string, message: string) => found.push({ path: path.split("."), message });
  const needs = (path: string, other: string) => refuse(path, `only applies with ${name(other)}`);
  const excludes = (path: string, other: string) => refuse(path, `cannot be combined with ${name(other)}`);

  const drawn = typeof model === "object";
  if (training !== undefined && !drawn) needs("training", "model.use");
  if (drawn && training === undefined && model.weights === undefined)
    refuse("model", `has no weights yet: add ${name("training")}, or ${name("model.weights")}`);
  if (fineTuning === undefined) {
    if (steps !== undefined) needs("schedule.steps", "fineTuning");
    if (tune !== undefined) needs("schedule.tune", "fineTuning");
    if (gradual !== undefined) needs("schedule.gradual", "fineTuning");
  }
  if (latency !== undefined && target.latency === undefined) {
    const [key = "backend"] = Object.entries(latency).flatMap(([k, v]) => (v === undefined ? [] : [k]));
    needs(`latency.${key}`, "target.latency");
  }
  if (curve !== undefined && steps === undefined && gradual === undefined)
    refuse("schedule.curve", `only applies with ${name("schedule.steps")} or ${name("schedule.gradual")}`);
  if (gradual !== undefined && steps !== undefined) excludes("schedule.gradual", "schedule.steps");
  else if (gradual !== undefined && tune !== undefined) excludes("schedule.gradual", "schedule.tune");
  if (gradual !== undefined && target.latency !== undefined) excludes("schedule.gradual", "target.latency");
  if (steps !== undefined && tune === "each") excludes("schedule.tune", "schedule.steps");
  if (gradual !== undefined && reconstruction !== undefined && strategies.length === 1)
    refuse(
      "reconstruction",
      `has nothing to refit: with ${name("schedule.gradual")} nothing is pruned before`,
    );
  if (combined !== undefined && strategies.length === 1)
    refuse("combined", "only applies with several strategies");
  else if (combined !== undefined && gradual !== undefined) excludes("combined", "schedule.gradual");
  else if (combined !== undefined && tune === "each") excludes("combined", "schedule.tune");
  return found;
}
