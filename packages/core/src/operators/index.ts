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
import { layerNormalizationGradient, layerNormalizationOperator } from "./layer-normalization.ts";
import { reshapeOperator, transposeOperator } from "./layout.ts";
import { matMulOperator } from "./matmul.ts";
import type { Operator } from "./operator.ts";
import { averagePoolGradient, averagePoolOperator, maxPoolGradient, maxPoolOperator } from "./pool.ts";
import { dropoutOperator, dropoutTraining, randomUniformOperator } from "./random.ts";
import { scaleOperator } from "./scale.ts";
import { concatOperator, padOperator, sliceOperator } from "./slice.ts";
import { softmaxGradient, softmaxOperator } from "./softmax.ts";
import { castOperator, floorOperator, roundOperator } from "./steps.ts";
import { topKOperator } from "./top-k.ts";

/** Every operator of core, by name: what a stored graph is read with. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [
    addOperator,
    subOperator,
    mulOperator,
    divOperator,
    sqrtOperator,
    reluOperator,
    reluGradient,
    geluOperator,
    geluGradient,
    eluOperator,
    eluGradient,
    tanhOperator,
    expOperator,
    logOperator,
    sigmoidOperator,
    erfOperator,
    sinOperator,
    cosOperator,
    powOperator,
    clipOperator,
    clipGradient,
    greaterOperator,
    equalOperator,
    whereOperator,
    castOperator,
    floorOperator,
    roundOperator,
    scaleOperator,
    matMulOperator,
    transposeOperator,
    reshapeOperator,
    expandOperator,
    reduceSumOperator,
    softmaxOperator,
    softmaxGradient,
    layerNormalizationOperator,
    layerNormalizationGradient,
    batchNormalizationOperator,
    batchNormalizationTraining,
    batchNormalizationGradient,
    concatOperator,
    sliceOperator,
    padOperator,
    gatherOperator,
    gatherGradient,
    gatherNDOperator,
    scatterNDOperator,
    topKOperator,
    cumSumOperator,
    averagePoolOperator,
    averagePoolGradient,
    maxPoolOperator,
    maxPoolGradient,
    dftOperator,
    randomUniformOperator,
    dropoutOperator,
    dropoutTraining,
    adamOperator,
  ].map((operator) => [operator.name, operator as unknown as Operator]),
);
