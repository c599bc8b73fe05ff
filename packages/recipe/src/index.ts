export { type CheckContext, check, type Problem, problemsIn } from "./format/check.ts";
export { expand, wholeStrategy } from "./format/expand.ts";
export { recipeJsonSchema } from "./format/json-schema.ts";
export { expectKeeps, idleKeeps, keepableNames } from "./format/keep.ts";
export {
  type DrawnModel,
  dataSchema,
  distillSchema,
  type LatencySettings,
  latencySchema,
  reconstructionSchema,
} from "./format/parts.ts";
export { drawingOf, type ReadRecipe, readRecipe } from "./format/read.ts";
export {
  type ApplyStep,
  type PruneStep,
  type Recipe,
  recipeSchema,
  type Step,
  type StepTarget,
  stepSchema,
  type TrainStep,
  type TuneStep,
} from "./format/recipe.ts";
export {
  type Contradiction,
  contradictionsIn,
  type NameOf,
  type Shorthand,
  scheduleSchema,
  shorthandSchema,
} from "./format/shorthand.ts";
export { followsRecipe, pruningOf, targetOf, targetsOf } from "./format/step-target.ts";
export { targetSchema, targetShares } from "./format/target.ts";
export { formatRecipe } from "./format/write.ts";
export { type LocatedYaml, readYaml } from "./format/yaml.ts";
export { type DrawnFor, drawModel, drawnFor } from "./registry/draw.ts";
export { type Registry, type RegistryParts, registryOf } from "./registry/registry.ts";
export { standardStrategies } from "./registry/strategies.ts";
export { type UseConfig, useSchema } from "./registry/use.ts";
export { continueWith, type RunCheckpoint, runIdentity } from "./run/checkpoint.ts";
export { type PlanSummary, type RecipeEvent, type StepOutcome, summaryOf } from "./run/events.ts";
export { type PastRun, type ReplayRequest, replay, runsOf } from "./run/replay.ts";
export type { Outcome, RunRequest } from "./run/request.ts";
export { run } from "./run/run.ts";
export { targetText, UnmetTargetError } from "./run/unmet.ts";
export type { RunData, RunMeter, Workbench } from "./run/workbench.ts";
