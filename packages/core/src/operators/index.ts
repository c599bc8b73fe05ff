import { adamOperator } from "./adam.ts";
import {
  batchNormalizationGradient,
  batchNormalizationOperator,
  batchNormalizationTraining,
} from "./batch-normalization.ts";
import { expandOperator, reduceSumOperator } from "./broadcast.ts";
import { equalOperator, greaterOperator, whereOperator } from "./choice.ts";
import { cumSumOperator } from "./cumulative-sum.ts";
import { dftOperator } from "./dft.ts";
import {
  addOperator,
  divOperator,
  eluGradient,
  eluOperator,
  geluGradient,
  geluOperator,
  mulOperator,
  reluGradient,
  reluOperator,
  sqrtOperator,
  subOperator,
  tanhOperator,
} from "./elementwise.ts";
import {
  clipGradient,
  clipOperator,
  cosOperator,
  erfOperator,
  expOperator,
  logOperator,
  powOperator,
  sigmoidOperator,
  sinOperator,
} from "./functions.ts";
import { gatherGradient, gatherOperator } from "./gather.ts";
import { gatherNDOperator, scatterNDOperator } from "./gather-nd.ts";
import { gruGradient, gruOperator } from "./gru.ts";
import { layerNormalizationGradient, layerNormalizationOperator } from "./layer-normalization.ts";
import { reshapeOperator, transposeOperator } from "./layout.ts";
import { lstmGradient, lstmOperator } from "./lstm.ts";
import { matMulOperator } from "./matmul.ts";
import type { Operator } from "./operator.ts";
import { averagePoolGradient, averagePoolOperator, maxPoolGradient, maxPoolOperator } from "./pool.ts";
import { dropoutOperator, dropoutTraining, randomUniformOperator } from "./random.ts";
import { scaleOperator } from "./scale.ts";
import { concatOperator, padOperator, sliceOperator } from "./slice.ts";
import { softmaxGradient, softmaxOperator } from "./softmax.ts";
import { castOperator, floorOperator, roundOperator } from "./steps.ts";
import { topKOperator } from "./top-k.ts";

/** The operators of core by name. */
const byName = {
  Add: addOperator,
  Sub: subOperator,
  Mul: mulOperator,
  Div: divOperator,
  Sqrt: sqrtOperator,
  Relu: reluOperator,
  ReluGradient: reluGradient,
  Gelu: geluOperator,
  GeluGradient: geluGradient,
  Elu: eluOperator,
  EluGradient: eluGradient,
  Tanh: tanhOperator,
  Exp: expOperator,
  Log: logOperator,
  Sigmoid: sigmoidOperator,
  Erf: erfOperator,
  Sin: sinOperator,
  Cos: cosOperator,
  Pow: powOperator,
  Clip: clipOperator,
  ClipGradient: clipGradient,
  Greater: greaterOperator,
  Equal: equalOperator,
  Where: whereOperator,
  Cast: castOperator,
  Floor: floorOperator,
  Round: roundOperator,
  Scale: scaleOperator,
  MatMul: matMulOperator,
  Transpose: transposeOperator,
  Reshape: reshapeOperator,
  Expand: expandOperator,
  ReduceSum: reduceSumOperator,
  Softmax: softmaxOperator,
  SoftmaxGradient: softmaxGradient,
  LayerNormalization: layerNormalizationOperator,
  LayerNormalizationGradient: layerNormalizationGradient,
  BatchNormalization: batchNormalizationOperator,
  BatchNormalizationTraining: batchNormalizationTraining,
  BatchNormalizationGradient: batchNormalizationGradient,
  Concat: concatOperator,
  Slice: sliceOperator,
  Pad: padOperator,
  Gather: gatherOperator,
  GatherGradient: gatherGradient,
  GatherND: gatherNDOperator,
  ScatterND: scatterNDOperator,
  TopK: topKOperator,
  CumSum: cumSumOperator,
  AveragePool: averagePoolOperator,
  AveragePoolGradient: averagePoolGradient,
  MaxPool: maxPoolOperator,
  MaxPoolGradient: maxPoolGradient,
  DFT: dftOperator,
  LSTM: lstmOperator,
  LSTMGradient: lstmGradient,
  GRU: gruOperator,
  GRUGradient: gruGradient,
  RandomUniform: randomUniformOperator,
  Dropout: dropoutOperator,
  DropoutTraining: dropoutTraining,
  Adam: adamOperator,
};

/** Name of an operator of core. */
export type OperatorName = keyof typeof byName;

/** The attributes of the operator with that name. */
export type AttributesNamed<N extends OperatorName> =
  (typeof byName)[N] extends Operator<infer A> ? A : never;

/** Every operator of core, by name; needed to read a stored graph. */
export const operators: ReadonlyMap<string, Operator> = new Map<string, Operator>(Object.entries(byName));
