export { type Accounting, account, sparsity } from "./accounting/account.ts";
export * from "./accounting/layers.ts";
export { summary } from "./accounting/summary.ts";
export type * from "./backend.ts";
export {
  type Criterion,
  type IndexScores,
  prunableTensors,
  type ScoreRequest,
} from "./criteria/criterion.ts";
export { fisher } from "./criteria/fisher.ts";
export { geometricMedian } from "./criteria/geometric-median.ts";
export { criterionNames } from "./criteria/index.ts";
export { lamp } from "./criteria/lamp.ts";
export { l1, l2 } from "./criteria/magnitude.ts";
export { type MovementOptions, movement } from "./criteria/movement.ts";
export { random } from "./criteria/random.ts";
export { spat } from "./criteria/spat.ts";
export { taylor } from "./criteria/taylor.ts";
export { wanda } from "./criteria/wanda.ts";
export { wsap } from "./criteria/wsap.ts";
export { type DimensionKind, type PrunableDimension, prunableDimensions } from "./dimensions/dimensions.ts";
export { EspalierError, ShapeError } from "./errors.ts";
export * from "./graph/tensor.ts";
export { type DensityGroup, densityMap } from "./insight/density.ts";
export { type HeadDensity, headDensities } from "./insight/heads.ts";
export * from "./insight/importance.ts";
export * from "./insight/mask-picture.ts";
export * from "./insight/sensitivity.ts";
export { isKept, keptCount, type Mask } from "./model/mask.ts";
export * from "./model/model.ts";
export { randomInputs, relativeError, runModel } from "./model/run.ts";
export type { LatencyMeter, TimeShare } from "./pruning/latency.ts";
export * from "./pruning/meet.ts";
export {
  type Expected,
  type LatencyTry,
  type MaskStep,
  type MeasuredTarget,
  type PruningPlan,
  planFromJson,
  planToJson,
  type RemoveStep,
  type Step,
  type TargetReport,
} from "./pruning/plan.ts";
export type { StrategyPlugin, StrategySpec } from "./pruning/plugin.ts";
export { prune } from "./pruning/prune.ts";
export type * from "./pruning/strategy.ts";
export { type CountedMetric, type Goal, type Metric, type Target, targetMetrics } from "./pruning/target.ts";
export * from "./reconstruction/reconstruct.ts";
export type { RefitMethod } from "./reconstruction/refit.ts";
export { reference } from "./reference/backend.ts";
