import {
  type AxisAttributes,
  type BatchNormalizationAttributes,
  type ClipAttributes,
  type EpsilonAttributes,
  isBatch,
  normalizeAxis,
  type ReduceAttributes,
  type ScaleAttributes,
  type SliceAttributes,
  sameShape,
} from "@espalier/core/graph";
import { averagePool, cumSum, dft, maxPool, pad } from "./along-axis.ts";
import {
  type Emission,
  type Emit,
  type Emits,
  float,
  fullShape,
  join,
  reshape,
  transpose,
} from "./emission.ts";
import { gatherND, scatterND, topK } from "./positions.ts";

function binary(op: string): Emit {
  return ({ def, node, inputs }) => def.node(op, node.name, inputs, float);
}

const byName: Emits = {
  Add: binary("AddV2"),
  Sub: binary("Sub"),
  Mul: binary("Mul"),
  Div: binary("RealDiv"),
  Sqrt: binary("Sqrt"),
  Relu: binary("Relu"),
  Elu: binary("Elu"),
  Tanh: binary("Tanh"),
  Exp: binary("Exp"),
  Log: binary("Log"),
  Sigmoid: binary("Sigmoid"),
  Erf: binary("Erf"),
  Sin: binary("Sin"),
  Cos: binary("Cos"),
  Pow: binary("Pow"),
  Clip: clip,
  Greater: comparison("Greater"),
  Equal: comparison("Equal"),
  Where: where,
  Floor: binary("Floor"),
  Round: binary("Round"),
  Cast: ({ def, node, inputs, attributes }) => {
    const types: [string, string] = ["DT_FLOAT", "DT_INT32"];
    const [from, to] = attributes.to === "int32" ? types : [types[1], types[0]];
    return def.node("Cast", node.name, inputs, { SrcT: { type: from }, DstT: { type: to } });
  },
  Dropout: ({ inputs }) => inputs[0]!,
  Gelu: gelu,
  Scale: scale,
  MatMul: matMul,
  Transpose: ({ def, node, inputs, attributes }) => transpose(def, node.name, inputs[0]!, attributes.perm),
  Reshape: (call) => reshape(call, call.node.name, call.inputs[0]!, call.outputs[0]!),
  Expand: (call) =>
    call.def.node("BroadcastTo", call.node.name, [call.inputs[0]!, fullShape(call, call.outputs[0]!)], float),
  ReduceSum: reduceSum,
  Softmax: softmax,
  LayerNormalization: layerNormalization,
  BatchNormalization: batchNormalization,
  Concat: ({ def, node, inputs, attributes }) => join(def, node.name, inputs, attributes.axis, "DT_FLOAT"),
  Slice: slice,
  Pad: pad,
  CumSum: cumSum,
  AveragePool: averagePool,
  MaxPool: maxPool,
  DFT: dft,
  TopK: topK,
  GatherND: gatherND,
  ScatterND: scatterND,
  Gather: ({ def, node, inputs, attributes }) =>
    def.node("GatherV2", node.name, [...inputs, def.integer(attributes.axis)], float),
};

/** How nodes with these operators are drawn, by their names in core. */
export const emitters: ReadonlyMap<string, Emit> = new Map(Object.entries(byName as Record<string, Emit>));

/** In core, truth values are numbers. */
function comparison(op: string): Emit {
  return ({ def, node, inputs }) => {
    const truth = def.node(op, `${node.name}/truth`, inputs, float);
    return def.node("Cast", node.name, [truth], { SrcT: { type: "DT_BOOL" }, DstT: { type: "DT_FLOAT" } });
  };
}

function where({ def, node, inputs: [condition, ...choices] }: Emission): string {
  const truth = def.node("NotEqual", `${node.name}/truth`, [condition!, def.scalar(0)], float);
  return def.node("SelectV2", node.name, [truth, ...choices], float);
}

function clip({ def, node, inputs: [x], attributes: { min, max } }: Emission<ClipAttributes>): string {
  const raised =
    min === undefined ? x! : def.node("Maximum", `${node.name}/raised`, [x!, def.scalar(min)], float);
  return max === undefined ? raised : def.node("Minimum", node.name, [raised, def.scalar(max)], float);
}

/** x·Φ(x) = x·½·(1 + erf(x ÷ √2)). */
function gelu({ def, node, inputs: [x] }: Emission): string {
  const at = (part: string) => `${node.name}/${part}`;
  const erf = def.node(
    "Erf",
    at("erf"),
    [def.node("Mul", at("scaled"), [x!, def.scalar(Math.SQRT1_2)], float)],
    float,
  );
  const sum = def.node("AddV2", at("sum"), [erf, def.scalar(1)], float);
  return def.node("Mul", node.name, [def.node("Mul", at("half"), [x!, def.scalar(0.5)], float), sum], float);
}

function scale(call: Emission<ScaleAttributes>): string {
  const { def, node, inputs } = call;
  const { by, per } = call.attributes;
  if (!isBatch(per)) return def.node("Mul", node.name, [inputs[0]!, def.scalar(by / per)], float);
  const cast = { SrcT: { type: "DT_INT32" }, DstT: { type: "DT_FLOAT" } };
  const size = def.node("Cast", `${node.name}/batch`, [call.batchSize()], cast);
  const scaled = def.node("Mul", `${node.name}/scaled`, [inputs[0]!, def.scalar(by / per.batch)], float);
  return def.node("RealDiv", node.name, [scaled, size], float);
}

/** TensorFlow.js only repeats whole runs of matrices: broadcasting between other axes is done here. */
function matMul(call: Emission): string {
  const { def, node, inputs, shapes, outputs } = call;
  const lead = outputs[0]!.slice(0, -2);
  const operands = inputs.map((input, i) => {
    const own = shapes[i]!.slice(0, -2);
    const first = own.findIndex((extent) => extent !== 1);
    const run = first < 0 ? [] : own.slice(first);
    if (sameShape(run, lead.slice(lead.length - run.length))) return input;
    const shape = fullShape(call, [...lead, ...shapes[i]!.slice(-2)]);
    return def.node("BroadcastTo", `${node.name}/repeated`, [input, shape], float);
  });
  return def.node("BatchMatMulV2", node.name, operands, float);
}

function reduce(
  op: string,
  call: Emission,
  name: string,
  x: string,
  axes: readonly number[],
  keepdims: boolean,
): string {
  return call.def.node(op, name, [x, call.def.integers(axes)], { ...float, keep_dims: { b: keepdims } });
}

function reduceSum(call: Emission<ReduceAttributes>): string {
  const { axes, keepdims } = call.attributes;
  const positive = axes.map((axis) => normalizeAxis(axis, call.shapes[0]!.length));
  return reduce("Sum", call, call.node.name, call.inputs[0]!, positive, keepdims);
}

/** TensorFlow.js's Softmax runs along the last axis. */
function softmax({ def, node, inputs, shapes, attributes }: Emission<AxisAttributes>): string {
  const rank = shapes[0]!.length;
  const axis = normalizeAxis(attributes.axis, rank);
  if (axis === rank - 1) return def.node("Softmax", node.name, inputs, float);
  const perm = shapes[0]!.map((_, i) => (i === axis ? rank - 1 : i === rank - 1 ? axis : i));
  const turned = transpose(def, `${node.name}/turned`, inputs[0]!, perm);
  return transpose(def, node.name, def.node("Softmax", `${node.name}/softmax`, [turned], float), perm);
}

function layerNormalization(call: Emission<EpsilonAttributes>): string {
  const { def, node, inputs, shapes } = call;
  const [x, scaleBy, bias] = inputs;
  const { epsilon } = call.attributes;
  const last = [shapes[0]!.length - 1];
  const at = (part: string) => `${node.name}/${part}`;
  const mean = reduce("Mean", call, at("mean"), x!, last, true);
  const centred = def.node("Sub", at("centred"), [x!, mean], float);
  const squares = def.node("Mul", at("squares"), [centred, centred], float);
  const variance = reduce("Mean", call, at("variance"), squares, last, true);
  const inverse = def.node(
    "Rsqrt",
    at("inverse"),
    [def.node("AddV2", at("safe"), [variance, def.scalar(epsilon)], float)],
    float,
  );
  const normalized = def.node("Mul", at("normalized"), [centred, inverse], float);
  return def.node(
    "AddV2",
    node.name,
    [def.node("Mul", at("scaled"), [normalized, scaleBy!], float), bias!],
    float,
  );
}

/** Statistics are fixed at inference; they lie along axis 1. */
function batchNormalization(call: Emission<BatchNormalizationAttributes>): string {
  const { def, node, inputs, shapes } = call;
  const { epsilon } = call.attributes;
  const rank = shapes[0]!.length;
  const at = (part: string) => `${node.name}/${part}`;
  const channels = shapes[1]![0] as number;
  const along = [channels, ...Array.from({ length: rank - 2 }, () => 1)];
  const [scaleBy, bias, mean, variance] = inputs
    .slice(1)
    .map((input, i) =>
      rank === 2 ? input : def.node("Reshape", at(`along${i}`), [input, def.integers(along)], float),
    );
  const inverse = def.node(
    "Rsqrt",
    at("inverse"),
    [def.node("AddV2", at("safe"), [variance!, def.scalar(epsilon)], float)],
    float,
  );
  const factor = def.node("Mul", at("factor"), [inverse, scaleBy!], float);
  const centred = def.node("Sub", at("centred"), [inputs[0]!, mean!], float);
  return def.node(
    "AddV2",
    node.name,
    [def.node("Mul", at("scaled"), [centred, factor], float), bias!],
    float,
  );
}

function slice({ def, node, inputs, shapes, attributes }: Emission<SliceAttributes>): string {
  const { axis, start, end } = attributes;
  const begin = shapes[0]!.map((_, i) => (i === axis ? start : 0));
  const size = shapes[0]!.map((_, i) => (i === axis ? end - start : -1));
  return def.node("Slice", node.name, [inputs[0]!, def.integers(begin), def.integers(size)], {
    ...float,
    Index: { type: "DT_INT32" },
  });
}
