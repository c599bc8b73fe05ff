import { readBy } from "@espalier/core/documents";
import { missingRules, scaleKinds } from "@espalier/datasets";
import {
  latencySchema,
  reconstructionSchema,
  scheduleSchema,
  stepSchema,
  targetSchema,
  useSchema,
} from "@espalier/recipe";
import { z } from "zod";
import type { Cell } from "./cells.ts";
import { recipeSchema, storeSchema, sweepSchema, trainingSchema, tuningSchema } from "./config.ts";

const dataSchema = z.strictObject({
  dataset: z.string(),
  inputLength: z.int().min(1),
  horizon: z.int().min(1),
  scale: z.enum(scaleKinds),
  missing: z.enum(missingRules).optional(),
  evaluationWindows: z.int().min(1).optional(),
});

const trainCell = z.strictObject({
  kind: z.literal("train"),
  model: useSchema,
  data: dataSchema,
  training: trainingSchema,
  seed: z.int().min(0),
  backend: z.string(),
  store: storeSchema.optional(),
});

const pruneShape = {
  kind: z.literal("prune"),
  dense: trainCell,
  target: targetSchema,
  measure: latencySchema.optional(),
};

/** Steps of a recipe that travels: a plan by its path would be read from whatever machine the cell comes to. */
export const travellingSteps = z
  .array(stepSchema)
  .nonempty()
  .refine((steps) => steps.every((step) => step.do !== "apply" || typeof step.plan !== "string"));

const pruneCell = z.union([
  z.strictObject({
    ...pruneShape,
    strategy: useSchema,
    fineTuning: tuningSchema,
    reconstruction: reconstructionSchema.optional(),
    schedule: scheduleSchema.optional(),
  }),
  z.strictObject({
    ...pruneShape,
    recipe: recipeSchema.extend({ steps: travellingSteps }),
  }),
]);

const cellSchema = z.union([
  trainCell,
  pruneCell,
  z.strictObject({
    kind: z.literal("latency"),
    pruned: pruneCell,
    backend: z.string(),
    batch: z.int().min(1),
    latency: sweepSchema.shape.latency.unwrap(),
  }),
  z.strictObject({
    kind: z.literal("sensitivity"),
    dense: trainCell,
    sensitivity: sweepSchema.shape.sensitivity.unwrap(),
  }),
]);

/** A cell from elsewhere, exactly as it came. Throws an EspalierError if it is none. */
export function readCell(value: unknown, where: string): Cell {
  readBy(cellSchema, value, (path) => [where, ...path.map(String)].join(", "));
  // Without the schema's defaults: a cell's name is that of what was written.
  return value as Cell;
}
