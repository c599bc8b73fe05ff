/** The inside of a model: for drawing models, and for writing backends, formats and optimisers. */
export { differentiate } from "./autodiff/differentiate.ts";
export { meanSquaredError } from "./autodiff/loss.ts";
export { drawTrainingForward, type TrainingForward } from "./autodiff/training-graph.ts";
export * from "./graph/bind.ts";
export * from "./graph/builder.ts";
export {
  type BatchExtent,
  batch,
  broadcastShapes,
  countElements,
  divideExtent,
  type Extent,
  elementsOf,
  factorOf,
  isBatch,
  normalizeAxis,
  printShape,
  resolveShape,
  type Shape,
  sameExtent,
  sameShape,
} from "./graph/extent.ts";
export {
  type Attribute,
  type Attributes,
  type DataType,
  dataValues,
  type Graph,
  isLive,
  liveValues,
  type NamedValue,
  type Node,
  type TensorRole,
  type TensorSpec,
  type Update,
  type ValueId,
  type ValueType,
} from "./graph/graph.ts";
export * from "./graph/redraw.ts";
export { expectRoom } from "./graph/room.ts";
export * from "./model/define.ts";
export { gatherKept, intersect, isZeroElsewhere, maskFrom, maskValues, spreadKept } from "./model/mask.ts";
export * from "./model/stored-graph.ts";
export * from "./operators/adam.ts";
export { type BatchNormalizationAttributes, batchNormalization } from "./operators/batch-normalization.ts";
export {
  expand,
  expandOperator,
  type ReduceAttributes,
  reduceMean,
  reduceSum,
  reduceSumOperator,
} from "./operators/broadcast.ts";
export type { None } from "./operators/by-element.ts";
export { equal, equalOperator, greater, greaterOperator, where } from "./operators/choice.ts";
export { type CumSumAttributes, cumSum } from "./operators/cumulative-sum.ts";
export * from "./operators/dft.ts";
export {
  add,
  addOperator,
  div,
  divOperator,
  elu,
  eluGradient,
  gelu,
  geluGradient,
  mul,
  mulOperator,
  relu,
  reluOperator,
  sqrt,
  sqrtOperator,
  sub,
  subOperator,
  tanh,
} from "./operators/elementwise.ts";
export {
  type ClipAttributes,
  clip,
  cos,
  erf,
  erfOperator,
  exp,
  expOperator,
  log,
  logOperator,
  pow,
  sigmoid,
  sin,
} from "./operators/functions.ts";
export { type GatherAttributes, type GatherGradientAttributes, gather } from "./operators/gather.ts";
export {
  eachPicked,
  type GatherNDAttributes,
  gatherND,
  type ScatterNDAttributes,
  scatterND,
} from "./operators/gather-nd.ts";
export { gru, gruOperator } from "./operators/gru.ts";
export * from "./operators/index.ts";
export { type EpsilonAttributes, layerNormalization } from "./operators/layer-normalization.ts";
export * from "./operators/layout.ts";
export { lstm, lstmOperator } from "./operators/lstm.ts";
export { matMul, matMulOperator } from "./operators/matmul.ts";
export {
  attributesOf,
  type CallOf,
  defineOperator,
  type GradientCall,
  isCallOf,
  type Nothing,
  type Operator,
  type Resized,
} from "./operators/operator.ts";
export {
  averagePool,
  maxPool,
  maxPoolOperator,
  type PoolAttributes,
  type PoolGradientAttributes,
  type PoolOptions,
} from "./operators/pool.ts";
export {
  dropout,
  fillRandom,
  type RandomAttributes,
  type RatioAttributes,
  randomKey,
  randomStream,
  randomUniformOperator,
} from "./operators/random.ts";
export type { RecurrenceAttributes } from "./operators/recurrence.ts";
export * from "./operators/scale.ts";
export {
  type ConcatAttributes,
  concat,
  type PadAttributes,
  type PadMode,
  pad,
  paddedFrom,
  type SliceAttributes,
  slice,
  sliceOperator,
} from "./operators/slice.ts";
export { type AxisAttributes, softmax, softmaxOperator } from "./operators/softmax.ts";
export { type CastAttributes, cast, floor, round } from "./operators/steps.ts";
export * from "./operators/top-k.ts";
export type { NdArray } from "./reference/array.ts";
