import { adamOperator } from "./adam.ts";
import { batchNormalizationGradient, batchNormalizationTraining } from "./batch-normalization.ts";
import { equalOperator, greaterOperator, whereOperator } from "./choice.ts";
import { commonOperators } from "./common.ts";
import { cumSumOperator } from "./cumulative-sum.ts";
import { dftOperator } from "./dft.ts";
import { eluGradient, eluOperator, geluGradient, reluGradient } from "./elementwise.ts";
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
import { gatherGradient } from "./gather.ts";
import { gatherNDOperator, scatterNDOperator } from "./gather-nd.ts";
import { gruGradient, gruOperator } from "./gru.ts";
import { layerNormalizationGradient } from "./layer-normalization.ts";
import { lstmGradient, lstmOperator } from "./lstm.ts";
import type { Operator } from "./operator.ts";
import { averagePoolGradient, averagePoolOperator, maxPoolGradient, maxPoolOperator } from "./pool.ts";
import { dropoutTraining, randomUniformOperator } from "./random.ts";
import { softmaxGradient } from "./softmax.ts";
import { castOperator, floorOperator, roundOperator } from "./steps.ts";
import { topKOperator } from "./top-k.ts";

/** The operators of core by name. */
const byName = {
  ...commonOperators,
  ReluGradient: reluGradient,
  GeluGradient: geluGradient,
  Elu: eluOperator,
  EluGradient: eluGradient,
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
  SoftmaxGradient: softmaxGradient,
  LayerNormalizationGradient: layerNormalizationGradient,
  BatchNormalizationTraining: batchNormalizationTraining,
  BatchNormalizationGradient: batchNormalizationGradient,
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
