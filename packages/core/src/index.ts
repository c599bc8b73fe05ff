export { type Accounting, account, nodeFlops, sparsity } from "./accounting/account.ts";
export { type LayerCount, layerCounts } from "./accounting/layers.ts";
export { summary } from "./accounting/summary.ts";
export { differentiate } from "./autodiff/differentiate.ts";
export { meanSquaredError } from "./autodiff/loss.ts";
export { drawTrainingForward, type TrainingForward } from "./autodiff/training-graph.ts";
export type * from "./backend.ts";
export * from "./criteria/criterion.ts";
export { fisher } from "./criteria/fisher.ts";
export { geometricMedian } from "./criteria/geometric-median.ts";
export { groupSlices, groupSums } from "./criteria/groups.ts";
export * from "./criteria/index.ts";
export { lamp } from "./criteria/lamp.ts";
export { l1, l2 } from "./criteria/magnitude.ts";
export { random } from "./criteria/random.ts";
export { taylor } from "./criteria/taylor.ts";
export { wanda } from "./criteria/wanda.ts";
export * from "./criteria/wsap.ts";
export type { AxisUse, Coupling, Operand } from "./dimensions/coupling.ts";
export * from "./dimensions/dimensions.ts";
export * from "./dimensions/expression.ts";
export { inferDimensions, type KnownAxes } from "./dimensions/infer.ts";
export * from "./errors.ts";
export * from "./graph/bind.ts";
export * from "./graph/builder.ts";
export * from "./graph/extent.ts";
export * from "./graph/graph.ts";
export * from "./graph/tensor.ts";
export { canonicalJson } from "./model/canonical-json.ts";
export * from "./model/define.ts";
export * from "./model/digest.ts";
export * from "./model/mask.ts";
export * from "./model/model.ts";
export { perModel } from "./model/per-model.ts";
export * from "./model/stored-graph.ts";
export * from "./operators/adam.ts";
export * from "./operators/batch-normalization.ts";
export * from "./operators/broadcast.ts";
export * from "./operators/choice.ts";
export * from "./operators/cumulative-sum.ts";
export * from "./operators/dft.ts";
export * from "./operators/elementwise.ts";
export * from "./operators/functions.ts";
export * from "./operators/gather.ts";
export * from "./operators/gather-nd.ts";
export { operators } from "./operators/index.ts";
export * from "./operators/layer-normalization.ts";
export * from "./operators/layout.ts";
export * from "./operators/matmul.ts";
export * from "./operators/operator.ts";
export * from "./operators/pool.ts";
export * from "./operators/random.ts";
export * from "./operators/scale.ts";
export * from "./operators/slice.ts";
export * from "./operators/softmax.ts";
export * from "./operators/top-k.ts";
export * from "./pruning/indices.ts";
export * from "./pruning/meet.ts";
export { matchesAny } from "./pruning/patterns.ts";
export * from "./pruning/plan.ts";
export * from "./pruning/plugin.ts";
export { applySteps, expectedAfter, prune } from "./pruning/prune.ts";
export { maskWithinRuns, type RunMaskOptions } from "./pruning/runs.ts";
export { CutError, removeDead } from "./pruning/simplify.ts";
export * from "./pruning/strategy.ts";
export { type StructuredOptions, structuredStrategy } from "./pruning/structured.ts";
export type { Block } from "./pruning/tiling.ts";
export {
  type MaskOptions,
  maskWeakest,
  rankWeights,
  rolePattern,
  type Scope,
  type WeightRanking,
} from "./pruning/weights.ts";
export * from "./pruning/write-plan.ts";
export type { NdArray } from "./reference/array.ts";
export { reference } from "./reference/backend.ts";
