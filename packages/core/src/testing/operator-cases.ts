import { batch, type Shape } from "../graph/extent.ts";
import type { Attributes, DataType } from "../graph/graph.ts";

/** One input of a case: numbers uniform in `range` (±1 by default), or indices below `below`. */
export interface CaseInput {
  readonly shape: Shape;
  readonly range?: readonly [number, number];
  readonly below?: number;
  /** Minimum of indices; 0 by default. */
  readonly least?: number;
}

/** One call of an operator that every backend must compute correctly. */
export interface OperatorCase {
  readonly operator: string;
  readonly inputs: readonly CaseInput[];
  readonly attributes: Attributes;
  /** Inputs whose gradient is checked; by default all float32 ones. */
  readonly differentiable?: readonly number[];
}

const positive: readonly [number, number] = [0.5, 2];
/** Avoids the kink of a piecewise function, which finite differences would straddle. */
const none: readonly [number, number] = [0, 0];
const integers: readonly [number, number] = [3, 3];
const halves: readonly [number, number] = [2.5, 2.5];

const x = (...shape: Shape): CaseInput => ({ shape });
const one = (operator: string, inputs: readonly CaseInput[], attributes: Attributes = {}): OperatorCase => ({
  operator,
  inputs,
  attributes,
});

/** This many values for each step of a recurrence. */
const steps = (count: number, width: number, values: number) =>
  Array.from({ length: values }, () => x(count, batch, width));

/** Deliberately odd shapes: one token, 31 and 33 tokens, widths 1, 7 and 129, axes of the batch and of multiples of it. */
export const operatorCases: readonly OperatorCase[] = [
  ...["Add", "Sub", "Mul"].flatMap((name) => [
    one(name, [x(batch, 31, 7), x(batch, 31, 7)]),
    one(name, [x({ batch: 3 }, 5), x(5)]),
    one(name, [x(batch, 4, 1, 3), x(5, 1)]),
    one(name, [x(2, 1), x(batch, 1, 129)]),
    one(name, [x(batch, 33), x()]),
  ]),
  one("Div", [x(batch, 31, 7), { shape: [31, 1], range: positive }]),
  one("Div", [x(5), { shape: [batch, 1, 5], range: positive }]),
  one("Sqrt", [{ shape: [batch, 33, 1], range: positive }]),
  ...["Relu", "Gelu", "Elu", "Tanh", "Exp", "Sigmoid", "Erf", "Sin", "Cos"].flatMap((name) => [
    one(name, [x(batch, 31, 7)]),
    one(name, [{ shape: [batch, 129], range: [-8, 8] }]),
  ]),
  ...["ReluGradient", "GeluGradient", "EluGradient"].map((name) =>
    one(name, [{ shape: [batch, 129], range: [-4, 4] }, x(batch, 129)]),
  ),
  one("Log", [{ shape: [batch, 31, 7], range: [1e-3, 20] }]),
  one("Pow", [
    { shape: [batch, 31, 7], range: positive },
    { shape: [7], range: [-3, 3] },
  ]),
  one("Pow", [{ shape: [], range: positive }, x(batch, 33)]),
  one("Clip", [x(batch, 31, 7)], { min: -0.3, max: 0.7 }),
  one("Clip", [x(batch, 129)], { min: 0.1 }),
  one("ClipGradient", [x(batch, 129), x(batch, 129)], { max: 0.5 }),
  ...["Greater", "Equal"].flatMap((name): OperatorCase[] => [
    { ...one(name, [x(batch, 31, 7), x(7)]), differentiable: [] },
    {
      ...one(name, [
        { shape: [batch, 9], below: 3 },
        { shape: [9], below: 3 },
      ]),
      differentiable: [],
    },
    {
      ...one(name, [
        { shape: [batch, 33], range: integers },
        { shape: [], range: integers },
      ]),
      differentiable: [],
    },
  ]),
  {
    ...one("Where", [{ shape: [batch, 31, 7], range: none }, x(7), x(batch, 31, 1)]),
    differentiable: [1, 2],
  },
  { ...one("Where", [{ shape: [5, 1], range: integers }, x(batch, 1, 3), x()]), differentiable: [1, 2] },
  ...["Floor", "Round"].map((name) => ({
    ...one(name, [{ shape: [batch, 31, 7], range: [-3, 3] }]),
    differentiable: [],
  })),
  { ...one("Round", [{ shape: [5], range: halves }]), differentiable: [] },
  { ...one("Cast", [{ shape: [batch, 33], range: [-3, 3] }], { to: "int32" }), differentiable: [] },
  { ...one("Cast", [{ shape: [batch, 9], below: 7 }], { to: "float32" }), differentiable: [] },
  ...["Add", "Sub", "Mul", "Div"].map((name) => ({
    ...one(name, [
      { shape: [batch, 9], below: 90 },
      { shape: [9], below: 7, least: 1 },
    ]),
    differentiable: [],
  })),
  one("Scale", [x(batch, 7)], { by: -0.3, per: 1 }),
  one("Scale", [x(batch, 7)], { by: 2, per: { batch: 7 } }),
  one("MatMul", [x(batch, 1, 7), x(7, 129)]),
  one("MatMul", [x({ batch: 7 }, 31, 33), x(33, 1)]),
  one("MatMul", [x(33, 31), x(31, 7)]),
  one("MatMul", [x(batch, 2, 31, 1), x(batch, 2, 1, 33)]),
  one("MatMul", [x(batch, 3, 5, 7), x(batch, 3, 7, 129)]),
  one("MatMul", [x(batch, 2, 5, 33), x(batch, 2, 33, 1)]),
  one("MatMul", [x(batch, 2, 1, 7), x(batch, 2, 7, 9)]),
  one("MatMul", [x(batch, 1, 5, 7), x(3, 7, 2)]),
  one("MatMul", [x(5, 7), x(batch, 7, 4)]),
  one("Transpose", [x(31, 33)], { perm: [1, 0] }),
  one("Transpose", [x(batch, 31, 2, 7)], { perm: [0, 2, 1, 3] }),
  one("Transpose", [x(batch, 3, 1, 5, 7)], { perm: [4, 0, 3, 1, 2] }),
  one("Reshape", [x(batch, 31, 6)], { shape: [batch, 31, 2, 3] }),
  one("Reshape", [x(batch, 7, 5)], { shape: [{ batch: 7 }, 5] }),
  one("Expand", [x(1, 7)], { shape: [batch, 31, 7] }),
  one("Expand", [x(batch, 1, 3, 1)], { shape: [batch, 5, 3, 2] }),
  one("ReduceSum", [x(batch, 31, 7)], { axes: [1], keepdims: true }),
  one("ReduceSum", [x(batch, 31, 7)], { axes: [0, 2], keepdims: false }),
  one("ReduceSum", [x(batch, 3, 5, 7)], { axes: [0, 1, 2, 3], keepdims: false }),
  one("ReduceSum", [x(batch, 129)], { axes: [-1], keepdims: false }),
  one("Softmax", [x(batch, 31, 33)], { axis: -1 }),
  one("Softmax", [{ shape: [batch, 7, 1], range: [-60, 60] }], { axis: -1 }),
  one("Softmax", [{ shape: [batch, 5, 33], range: [-60, 60] }], { axis: 1 }),
  one("SoftmaxGradient", [{ shape: [batch, 5, 7], range: [0, 1] }, x(batch, 5, 7)], { axis: -1 }),
  one("SoftmaxGradient", [{ shape: [batch, 5, 7], range: [0, 1] }, x(batch, 5, 7)], { axis: 1 }),
  one("LayerNormalization", [x(batch, 31, 7), x(7), x(7)], { epsilon: 1e-5 }),
  one("LayerNormalization", [x({ batch: 2 }, 129), x(129), x(129)], { epsilon: 1e-5 }),
  one("LayerNormalizationGradient", [x(batch, 31, 7), x(7), x(batch, 31, 7)], { epsilon: 1e-5 }),
  one("BatchNormalization", [x(batch, 7, 31), x(7), x(7), x(7), { shape: [7], range: positive }], {
    epsilon: 1e-5,
    momentum: 0.1,
  }),
  {
    ...one("BatchNormalization", [x(batch, 3), x(3), x(3), x(3), { shape: [3], range: positive }], {
      epsilon: 1e-3,
      momentum: 0.1,
    }),
    differentiable: [0, 1, 2],
  },
  {
    ...one(
      "BatchNormalizationTraining",
      [x({ batch: 3 }, 7, 5), x(7), x(7), x(7), { shape: [7], range: positive }],
      { epsilon: 1e-5, momentum: 0.1 },
    ),
    differentiable: [0, 1, 2],
  },
  one("BatchNormalizationGradient", [x({ batch: 3 }, 7, 5), x(7), x({ batch: 3 }, 7, 5)], {
    epsilon: 1e-5,
    momentum: 0.1,
  }),
  one("Concat", [x(batch, 1, 7), x(batch, 31, 7), x(batch, 2, 7)], { axis: 1 }),
  one("Concat", [x(batch, 5), x(batch, 1)], { axis: 1 }),
  one("Slice", [x(batch, 33, 7)], { axis: 1, start: 2, end: 33 }),
  one("Slice", [x(batch, 3, 129)], { axis: 2, start: 128, end: 129 }),
  one("Pad", [x(batch, 31, 7)], { axis: 1, before: 2, after: 1, mode: "constant" }),
  one("Pad", [x(batch, 31, 7)], { axis: 1, before: 12, after: 3, mode: "edge" }),
  one("Pad", [x(batch, 3, 1)], { axis: 2, before: 2, after: 0, mode: "edge" }),
  one("Pad", [x(batch, 33, 7)], { axis: 1, before: 2, after: 33, mode: "wrap" }),
  one("Pad", [x(5, 7)], { axis: 0, before: 0, after: 1, mode: "wrap" }),
  one("AveragePool", [x(batch, 33, 7)], { axis: 1, kernel: 25, stride: 1, before: 0, after: 0 }),
  one("AveragePool", [x(batch, 7, 31)], { axis: 2, kernel: 3, stride: 2, before: 1, after: 2 }),
  one("AveragePool", [x(batch, 4, 3)], { axis: 1, kernel: 3, stride: 1, before: 2, after: 2 }),
  ...[
    { axis: 1, shape: [batch, 38, 7] as const },
    { axis: 2, shape: [batch, 7, 38] as const },
  ].flatMap(({ axis, shape }) => [
    one("AveragePool", [x(...shape)], { axis, kernel: 8, stride: 1, before: 0, after: 0 }),
    one("AveragePoolGradient", [x(...shape)], {
      axis,
      kernel: 9,
      stride: 1,
      before: 0,
      after: 0,
      extent: 46,
    }),
  ]),
  one("AveragePoolGradient", [x(batch, 3, 7)], {
    ...{ axis: 1, kernel: 5, stride: 2, before: 1, after: 0 },
    extent: 8,
  }),
  one("MaxPool", [x(batch, 33, 7)], { axis: 1, kernel: 3, stride: 2, before: 1, after: 1 }),
  one("MaxPool", [x(batch, 7, 31)], { axis: 2, kernel: 31, stride: 1, before: 0, after: 0 }),
  one("MaxPoolGradient", [x(batch, 4, 7), x(batch, 8, 7)], {
    ...{ axis: 1, kernel: 3, stride: 2, before: 1, after: 1 },
  }),
  one("CumSum", [x(batch, 31, 7)], { axis: 1, exclusive: false, reverse: false }),
  one("CumSum", [x({ batch: 3 }, 129)], { axis: 1, exclusive: true, reverse: true }),
  one("DFT", [x(batch, 31, 7, 1)], { axis: 1, inverse: false, onesided: true, length: 31 }),
  one("DFT", [x(batch, 3, 8, 1)], { axis: 2, inverse: false, onesided: true, length: 8 }),
  one("DFT", [x(batch, 5, 7, 2)], { axis: 1, inverse: true, onesided: true, length: 8 }),
  one("DFT", [x(batch, 3, 16, 2)], { axis: 2, inverse: true, onesided: true, length: 31 }),
  one("DFT", [x({ batch: 2 }, 7, 1)], { axis: 1, inverse: false, onesided: false, length: 7 }),
  one("DFT", [x(batch, 6, 3, 2)], { axis: 1, inverse: false, onesided: false, length: 6 }),
  one("DFT", [x(batch, 7, 2)], { axis: 1, inverse: true, onesided: false, length: 7 }),
  ...[false, true].flatMap((reverse) => [
    one("LSTM", [x(5, batch, 4, 7), x(4, 7, 7), x(batch, 7), x(batch, 7)], { reverse }),
    one("GRU", [x(5, batch, 3, 7), x(3, 7, 7), x(3, 7), x(batch, 7)], { reverse }),
    one("LSTMGradient", [x(4, batch, 4, 5), x(4, 5, 5), ...steps(4, 5, 4)], { reverse }),
    one("GRUGradient", [x(4, batch, 3, 5), x(4, batch, 3, 5), x(3, 5, 5), ...steps(4, 5, 2)], { reverse }),
  ]),
  one("LSTM", [x(1, { batch: 3 }, 4, 33), x(4, 33, 33), x({ batch: 3 }, 33), x({ batch: 3 }, 33)], {
    reverse: false,
  }),
  one("GRU", [x(3, 31, 3, 1), x(3, 1, 1), x(3, 1), x(31, 1)], { reverse: false }),
  one("TopK", [x(batch, 31)], { axis: 1, k: 13, shared: false }),
  one("TopK", [x(batch, 3, 7, 33)], { axis: 3, k: 1, shared: false }),
  one("TopK", [x(batch, 7, 3)], { axis: 1, k: 7, shared: false }),
  one("GatherND", [x(batch, 7, 3, 5), { shape: [batch, 4, 9, 1], below: 7 }], { batchDims: 1 }),
  one("GatherND", [x(batch, 2, 7, 5), { shape: [batch, 2, 3, 1], below: 7 }], { batchDims: 2 }),
  one("GatherND", [x(5, 6, 3), { shape: [batch, 4, 2], below: 5 }], { batchDims: 0 }),
  {
    ...one("ScatterND", [x(batch, 7, 5), { shape: [batch, 1, 1], below: 7 }, x(batch, 1, 5)], {
      ...{ batchDims: 1, reduction: "none" },
    }),
    differentiable: [0, 2],
  },
  {
    ...one("ScatterND", [x(batch, 2, 7, 3), { shape: [batch, 2, 9, 1], below: 7 }, x(batch, 2, 9, 3)], {
      ...{ batchDims: 2, reduction: "add" },
    }),
    differentiable: [0, 2],
  },
  one("Gather", [x(batch, 7, 31), { shape: [4, 3], below: 31 }], { axis: 2 }),
  one("Gather", [x(5, 7), { shape: [9], below: 5 }], { axis: 0 }),
  one("GatherGradient", [x(batch, 7, 4, 3), { shape: [4, 3], below: 5 }], { axis: 2, extent: 5 }),
  one(
    "RandomUniform",
    [
      { shape: [], range: integers },
      { shape: [], range: integers },
    ],
    { shape: [batch, 31, 7], stream: 12345 },
  ),
  one("Dropout", [x(batch, 31, 7)], { ratio: 0.3 }),
  {
    ...one("DropoutTraining", [x(batch, 31, 7), { shape: [batch, 31, 7], range: [0, 1] }], { ratio: 0.3 }),
    differentiable: [0],
  },
  one(
    "Adam",
    [
      x(33, 7),
      x(33, 7),
      x(33, 7),
      { shape: [33, 7], range: [0, 1] },
      { shape: [], range: integers },
      { shape: [], range: [1e-3, 1e-3] },
    ],
    { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  ),
  one(
    "Adam",
    [
      x(5),
      x(5),
      x(5),
      { shape: [5], range: [0, 1] },
      { shape: [], range: integers },
      { shape: [], range: [1e-3, 1e-3] },
      { shape: [5], below: 2 },
    ],
    { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  ),
];

/** Type of an input: indices are int32, but masks (`Adam`'s last input) are float32. */
export function inputType(one: OperatorCase, input: number): DataType {
  return one.inputs[input]!.below !== undefined && one.operator !== "Adam" ? "int32" : "float32";
}
