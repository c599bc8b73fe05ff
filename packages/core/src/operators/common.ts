import { batchNormalizationOperator } from "./batch-normalization.ts";
import { expandOperator, reduceSumOperator } from "./broadcast.ts";
import {
  addOperator,
  divOperator,
  geluOperator,
  mulOperator,
  reluOperator,
  sqrtOperator,
  subOperator,
  tanhOperator,
} from "./elementwise.ts";
import { gatherOperator } from "./gather.ts";
import { layerNormalizationOperator } from "./layer-normalization.ts";
import { reshapeOperator, transposeOperator } from "./layout.ts";
import { matMulOperator } from "./matmul.ts";
import { dropoutOperator } from "./random.ts";
import { scaleOperator } from "./scale.ts";
import { concatOperator, padOperator, sliceOperator } from "./slice.ts";
import { softmaxOperator } from "./softmax.ts";

/** Operators that most forecasters have, under their names. */
export const commonOperators = {
  Add: addOperator,
  Sub: subOperator,
  Mul: mulOperator,
  Div: divOperator,
  Sqrt: sqrtOperator,
  Relu: reluOperator,
  Gelu: geluOperator,
  Tanh: tanhOperator,
  Scale: scaleOperator,
  MatMul: matMulOperator,
  Transpose: transposeOperator,
  Reshape: reshapeOperator,
  Expand: expandOperator,
  ReduceSum: reduceSumOperator,
  Softmax: softmaxOperator,
  LayerNormalization: layerNormalizationOperator,
  BatchNormalization: batchNormalizationOperator,
  Concat: concatOperator,
  Slice: sliceOperator,
  Pad: padOperator,
  Gather: gatherOperator,
  Dropout: dropoutOperator,
};
