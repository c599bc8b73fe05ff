/**
 * What running a model takes, and no more: code that pages load imports this. Operators that few forecasters have stay
 * out until `loadOperators` is asked for them. Everything here is in `@espalier/core`, too.
 */
export type { Accounting } from "./accounting/account.ts";
export type * from "./backend.ts";
export type * from "./dimensions/dimensions.ts";
export * from "./dimensions/expression.ts";
export * from "./errors.ts";
export * from "./graph/bind.ts";
export * from "./graph/extent.ts";
export * from "./graph/graph.ts";
export * from "./graph/tensor.ts";
export { canonicalJson } from "./model/canonical-json.ts";
export * from "./model/mask.ts";
export type { Json, Model } from "./model/model.ts";
export * from "./model/stored-graph.ts";
export type { AttributesNamed, OperatorName } from "./operators/index.ts";
export * from "./operators/layout.ts";
export { loadOperators } from "./operators/load.ts";
export * from "./operators/matmul.ts";
export * from "./operators/operator.ts";
export * from "./operators/scale.ts";
