import {
  type Attributes,
  type BatchNormalizationAttributes,
  type CastAttributes,
  type ClipAttributes,
  type ConcatAttributes,
  type EpsilonAttributes,
  isBatch,
  type PermutationAttributes,
  type ReduceAttributes,
  type ScaleAttributes,
  type ShapeAttributes,
  type SliceAttributes,
  sameExtent,
} from "@espalier/core/graph";
import { TensorProto_DataType as ElementType } from "onnx-buf";
import { cumSum, dft, pad, pool } from "./along-axis.ts";
import type { NodeCall, Rule } from "./node-call.ts";
import { gatherND, scatterND, topK } from "./positions.ts";
import { float, int, ints } from "./proto.ts";
import { recurrence } from "./recurrent.ts";

const as =
  (opType: string): Rule<Attributes> =>
  ({ emit, inputs }) =>
    emit(opType, inputs);

/** How each operator of core is written in ONNX. Others only occur in training graphs. */
export const rules: ReadonlyMap<string, Rule<Attributes>> = new Map(
  Object.entries<Rule<never>>({
    Add: as("Add"),
    Sub: as("Sub"),
    Mul: as("Mul"),
    Div: as("Div"),
    Sqrt: as("Sqrt"),
    Relu: as("Relu"),
    // Without attributes, alpha is 1.
    Elu: as("Elu"),
    Tanh: as("Tanh"),
    Exp: as("Exp"),
    Log: as("Log"),
    Sigmoid: as("Sigmoid"),
    Erf: as("Erf"),
    Sin: as("Sin"),
    Cos: as("Cos"),
    Pow: as("Pow"),
    Greater: comparison("Greater"),
    Equal: comparison("Equal"),
    Where: ({ emit, writer, name, inputs: [condition, ...choices] }: NodeCall) =>
      emit("Where", [
        writer.node(`${name}/Cast`, "Cast", [condition!], { to: int(ElementType.BOOL) }),
        ...choices,
      ]),
    Cast: ({ emit, inputs, attributes: { to } }: NodeCall<CastAttributes>) =>
      emit("Cast", inputs, { to: int(to === "int32" ? ElementType.INT32 : ElementType.FLOAT) }),
    Floor: as("Floor"),
    Round: as("Round"),
    Clip: ({ emit, writer, inputs, attributes: { min, max } }: NodeCall<ClipAttributes>) =>
      emit("Clip", [
        ...inputs,
        min === undefined ? "" : writer.scalar(min),
        max === undefined ? "" : writer.scalar(max),
      ]),
    MatMul: as("MatMul"),
    Dropout: as("Identity"),
    Gelu: gelu,
    Scale: scale,
    Transpose: ({ emit, inputs, attributes: { perm } }: NodeCall<PermutationAttributes>) =>
      emit("Transpose", inputs, { perm: ints(perm) }),
    Reshape: reshape,
    Expand: expand,
    ReduceSum: reduceSum,
    Softmax: ({ emit, inputs, attributes: { axis } }: NodeCall<{ axis: number }>) =>
      emit("Softmax", inputs, { axis: int(axis) }),
    LayerNormalization: ({ emit, inputs, attributes: { epsilon } }: NodeCall<EpsilonAttributes>) =>
      emit("LayerNormalization", inputs, { axis: int(-1), epsilon: float(epsilon) }),
    BatchNormalization: ({ emit, inputs, attributes }: NodeCall<BatchNormalizationAttributes>) =>
      emit("BatchNormalization", inputs, {
        epsilon: float(attributes.epsilon),
        momentum: float(1 - attributes.momentum),
      }),
    Concat: ({ emit, inputs, attributes: { axis } }: NodeCall<ConcatAttributes>) =>
      emit("Concat", inputs, { axis: int(axis) }),
    Slice: ({ emit, writer, inputs, attributes: { axis, start, end } }: NodeCall<SliceAttributes>) =>
      emit("Slice", [...inputs, ...[start, end, axis].map((n) => writer.integers([n]))]),
    Pad: pad,
    CumSum: cumSum,
    AveragePool: pool("AveragePool"),
    MaxPool: pool("MaxPool"),
    DFT: dft,
    LSTM: recurrence,
    GRU: recurrence,
    TopK: topK,
    GatherND: gatherND,
    ScatterND: scatterND,
    Gather: ({ emit, inputs, attributes: { axis } }: NodeCall<{ axis: number }>) =>
      emit("Gather", inputs, { axis: int(axis) }),
  }) as [string, Rule<Attributes>][],
);

/** In core, truth values are numbers. */
function comparison(opType: string): Rule<Attributes> {
  return ({ emit, writer, name, inputs }) => {
    const truth = writer.node(`${name}/${opType}`, opType, inputs);
    emit("Cast", [truth], { to: int(ElementType.FLOAT) });
  };
}

function gelu({ writer, name, inputs, emit, gelu: form }: NodeCall): void {
  if (form === "operator") {
    emit("Gelu", inputs);
    return;
  }
  // x · (1 + erf(x ÷ √2)) · ½: the order in which runtimes know it, and fuse it.
  const [x] = inputs;
  const argument = writer.node(`${name}/Div`, "Div", [x!, writer.scalar(Math.SQRT2)]);
  const erf = writer.node(`${name}/Erf`, "Erf", [argument]);
  const shifted = writer.node(`${name}/Add`, "Add", [erf, writer.scalar(1)]);
  const product = writer.node(`${name}/Mul`, "Mul", [x!, shifted]);
  emit("Mul", [product, writer.scalar(0.5)]);
}

function scale({ writer, name, inputs, attributes: { by, per }, emit }: NodeCall<ScaleAttributes>): void {
  if (!isBatch(per)) {
    emit("Mul", [inputs[0]!, writer.scalar(by / per)]);
    return;
  }
  const count = writer.node(`${name}/Cast`, "Cast", [writer.extents([per])], { to: int(ElementType.FLOAT) });
  const factor = writer.node(`${name}/Div`, "Div", [writer.scalar(by), count]);
  // The factor has one axis; a scalar keeps its rank without it.
  const scalar = writer.node(`${name}/Squeeze`, "Squeeze", [factor]);
  emit("Mul", [inputs[0]!, scalar]);
}

/** A shape has at most one batch axis: 0 if it stays in place, which type inference follows, otherwise −1. */
function reshape({ writer, inputs, shapes, attributes: { shape }, emit }: NodeCall<ShapeAttributes>): void {
  // If an axis is empty, a 0 stands for itself.
  const empty = shape.includes(0);
  const target = shape.map((extent, axis) => {
    if (!isBatch(extent)) return extent;
    const before = shapes[0]![axis];
    return !empty && before !== undefined && sameExtent(before, extent) ? 0 : -1;
  });
  emit("Reshape", [inputs[0]!, writer.integers(target)], empty ? { allowzero: int(1) } : {});
}

/** ONNX's Expand broadcasts both ways: for an existing extent, 1 is enough. */
function expand({ writer, inputs, shapes, attributes: { shape }, emit }: NodeCall<ShapeAttributes>): void {
  const lead = shape.length - shapes[0]!.length;
  const target = shape.map((extent, axis) => {
    const before = shapes[0]![axis - lead];
    return before !== undefined && sameExtent(before, extent) ? 1 : extent;
  });
  emit("Expand", [inputs[0]!, writer.extents(target)]);
}

function reduceSum({ writer, inputs, attributes, emit }: NodeCall<ReduceAttributes>): void {
  const { axes, keepdims } = attributes;
  // In ONNX, no axes can mean all of them.
  if (axes.length === 0) emit("Identity", inputs);
  else emit("ReduceSum", [inputs[0]!, writer.integers(axes)], { keepdims: int(keepdims ? 1 : 0) });
}
