import { curveNames, gradualSchema } from "@espalier/training";
import { z } from "zod";
import { useSchema } from "../registry/use.ts";
import { commonKeys, distillSchema, fittingSchema, reconstructionSchema } from "./parts.ts";
import { targetSchema, targetShares } from "./target.ts";

const seed = z.int().min(0).optional().describe("Seed of this step; by default the recipe's.");
const acceptNearest = z
  .boolean()
  .optional()
  .describe("Take the nearest plan if the target cannot be met; by default that is an error.");
const reconstruct = reconstructionSchema
  .optional()
  .describe("Refit what is left to the unpruned layers' outputs, without labels; {} for the defaults.");

/** A target of its own, or a share of the way to the recipe's target. */
const stepTargetSchema = z
  .strictObject({
    ...targetShares,
    progress: z.number().gt(0).max(1).describe("Share of the way to the recipe's target."),
    curve: z.enum(curveNames).describe("How the way is divided; exponential by default."),
  })
  .partial()
  .superRefine(({ progress, curve, ...own }, context) => {
    const names = Object.values(own).filter((share) => share !== undefined).length;
    const refuse = (message: string) => context.addIssue({ code: "custom", message });
    if (names === 0 && progress === undefined)
      refuse(`names nothing: give one or more of ${Object.keys(targetShares).join(", ")}, or progress`);
    else if (names > 0 && progress !== undefined) refuse("give either progress or a target, not both");
    else if (curve !== undefined && progress === undefined) refuse("curve only applies with progress");
  })
  .optional()
  .describe("Shares of the unpruned model; by default the recipe's target.");

const train = z
  .strictObject({
    do: z.literal("train").describe("Trains the model before anything is pruned."),
    fit: fittingSchema.describe("Settings of the training."),
    seed,
  })
  .describe("Train the dense model.");

const prune = z
  .strictObject({
    do: z.literal("prune").describe("Makes a plan, and removes or masks weights at once."),
    strategy: useSchema.describe("`use` names a strategy; all other keys are its options."),
    target: stepTargetSchema,
    acceptNearest,
    reconstruct,
    seed,
  })
  .describe("Prune to a target.");

const apply = z
  .strictObject({
    do: z.literal("apply").describe("Carries out an existing plan."),
    plan: z
      .union([z.string(), z.looseObject({ format: z.literal(1) })], {
        error: "expected the path of a plan, or a plan",
      })
      .describe("A plan file next to the recipe, or the plan itself."),
    reconstruct,
    seed,
  })
  .describe("Carry out a plan.");

const masks = z
  .strictObject({
    strategy: useSchema.describe("A strategy that masks weights."),
    target: stepTargetSchema,
    acceptNearest,
    ...gradualSchema.shape,
  })
  .describe("Masks tighten during fine-tuning, until the target is reached.");

const tune = z
  .strictObject({
    do: z.literal("tune").describe("Continues training the pruned model."),
    fit: fittingSchema.describe("Settings of the training."),
    distill: distillSchema.optional(),
    masks: masks.optional(),
    seed,
  })
  .describe("Fine-tune, with masks that tighten if requested.");

/** One step of a recipe. */
export const stepSchema = z.discriminatedUnion("do", [train, prune, apply, tune]);

/** A recipe: steps in order, each on the model that the previous one left. */
export const recipeSchema = z.strictObject({
  ...commonKeys,
  format: z.literal(2).optional().describe("Version of the recipe format."),
  target: targetSchema
    .optional()
    .describe(
      "Shares of the unpruned model, for steps without their own target; if several, all must be met.",
    ),
  steps: z.array(stepSchema).nonempty().describe("The steps, in order."),
});

/** A recipe as it is written: keys that are left out have their defaults. */
export type Recipe = z.input<typeof recipeSchema>;
/** One step of a recipe. */
export type Step = z.input<typeof stepSchema>;
/** Trains the dense model. */
export type TrainStep = Extract<Step, { do: "train" }>;
/** Prunes to a target. */
export type PruneStep = Extract<Step, { do: "prune" }>;
/** Carries out a plan. */
export type ApplyStep = Extract<Step, { do: "apply" }>;
/** Fine-tunes. */
export type TuneStep = Extract<Step, { do: "tune" }>;
/** A step's own target, or a share of the way to the recipe's target. */
export type StepTarget = PruneStep["target"];
