/** Tools for strategies and criteria: rankings, selections and plans. */
export { weightsOf } from "./criteria/criterion.ts";
export { groupSlices, groupSums } from "./criteria/groups.ts";
export { checkAmount, findCriterion, isCriterion } from "./criteria/index.ts";
export { type WeightStatistics, weightStatistics } from "./criteria/wsap.ts";
export { type MatrixView, matrixViews } from "./model/matrix.ts";
export { perModel } from "./model/per-model.ts";
export {
  type Allocation,
  type AllocationOptions,
  type RankedTensor,
  rolePattern,
  type Scope,
} from "./pruning/allocation.ts";
export { type RemoveOptions, removeWeakest } from "./pruning/indices.ts";
export * from "./pruning/modules.ts";
export { matchesAny } from "./pruning/patterns.ts";
export { encodePlan, readPlan } from "./pruning/plan.ts";
export { pluginOptions } from "./pruning/plugin.ts";
export { applySteps, expectedAfter } from "./pruning/prune.ts";
export { maskWithinRuns, type RunMaskOptions } from "./pruning/runs.ts";
export { removeDead } from "./pruning/simplify.ts";
export { type StructuredOptions, structuredStrategy } from "./pruning/structured.ts";
export { leftOf, readTarget, targetEntry } from "./pruning/target.ts";
export type { Block } from "./pruning/tiling.ts";
export { type MaskOptions, maskWeakest, rankWeights, type WeightRanking } from "./pruning/weights.ts";
export { nothingToPrune, writePlan } from "./pruning/write-plan.ts";
export { groupLasso } from "./regularization/group-lasso.ts";
