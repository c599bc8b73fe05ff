/**
 * For code that pages load: what running a model takes. Operators that few forecasters have stay out until
 * `loadOperators` is asked for them. Everything here is in other entries of `@espalier/core`, too.
 */
export type { Accounting } from "./accounting/account.ts";
export type * from "./backend.ts";
export type { Dimension, Dimensions, Member } from "./dimensions/dimensions.ts";
export { dimensionsIn, type Expression, extentOf } from "./dimensions/expression.ts";
export { EspalierError, unknownName } from "./errors.ts";
export * from "./graph/bind.ts";
export {
  countElements,
  type Extent,
  factorOf,
  isBatch,
  printShape,
  resolveShape,
  type Shape,
  sameExtent,
  sameShape,
} from "./graph/extent.ts";
export {
  type Attributes,
  type DataType,
  type Graph,
  isLive,
  liveValues,
  type Node,
  type ValueId,
} from "./graph/graph.ts";
export * from "./graph/tensor.ts";
export { canonicalJson } from "./model/canonical-json.ts";
export { gatherKept, isZeroElsewhere, keptCount, type Mask, spreadKept } from "./model/mask.ts";
export type { Json, Model } from "./model/model.ts";
export * from "./model/stored-graph.ts";
export type { AttributesNamed, OperatorName } from "./operators/index.ts";
export { transposeOperator } from "./operators/layout.ts";
export { loadOperators } from "./operators/load.ts";
export { matMulOperator } from "./operators/matmul.ts";
export { attributesOf, isCallOf, type Operator } from "./operators/operator.ts";
export { scaleFactor, scaleOperator } from "./operators/scale.ts";
