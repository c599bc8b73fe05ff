import {
  type AxisAttributes,
  type BatchNormalizationAttributes,
  type ClipAttributes,
  type EpsilonAttributes,
  isBatch,
  normalizeAxis,
  type ReduceAttributes,
  type ScaleAttributes,
} from "@espalier/core/graph";
import { averagePool, cumSum, dft, maxPool, pad } from "./along-axis.ts";
import { drawing, type Emission, type Emit, type Emits, type Part, sameExtents } from "./emission.ts";
import { gather, gatherND, scatterND, topK } from "./positions.ts";
import { type OperatorName, typeNumbers } from "./schema.ts";

function elementwise(operator: OperatorName, options: Readonly<Record<string, number>> = {}): Emit {
  return (call) => drawing(call).one(operator, call.inputs, call.outputs[0]!, options);
}

/** Truth values are numbers in core. */
function comparison(operator: "GREATER" | "EQUAL"): Emit {
  return (call) => {
    const draw = drawing(call);
    const [shape] = call.outputs;
    const truth = draw.one(operator, call.inputs, shape!, {}, "bool");
    return draw.one("CAST", [truth], shape!, { from: typeNumbers.bool, to: typeNumbers.float32 }, "float32");
  };
}

const byName: Emits = {
  Add: elementwise("ADD"),
  Sub: elementwise("SUB"),
  Mul: elementwise("MUL"),
  Div: elementwise("DIV"),
  Sqrt: elementwise("SQRT"),
  Relu: elementwise("RELU"),
  Elu: elementwise("ELU"),
  Tanh: elementwise("TANH"),
  Exp: elementwise("EXP"),
  Log: elementwise("LOG"),
  Sigmoid: elementwise("LOGISTIC"),
  Gelu: elementwise("GELU", { approximate: 0 }),
  Erf: erf,
  Sin: elementwise("SIN"),
  Cos: elementwise("COS"),
  Pow: elementwise("POW"),
  Clip: clip,
  Greater: comparison("GREATER"),
  Equal: comparison("EQUAL"),
  Where: where,
  Floor: elementwise("FLOOR"),
  Round: elementwise("ROUND"),
  Cast: (call) => {
    const { to } = call.attributes;
    const [x] = call.inputs;
    if (x!.type === to) return x!;
    const options = { from: typeNumbers[x!.type], to: typeNumbers[to] };
    return drawing(call).one("CAST", [x], x!.shape, options, to);
  },
  Dropout: ({ inputs }) => inputs[0]!,
  Scale: scale,
  MatMul: matMul,
  Transpose: (call) => drawing(call).transpose(call.inputs[0]!, call.attributes.perm),
  Reshape: (call) => drawing(call).reshape(call.inputs[0]!, call.outputs[0]!),
  Expand: (call) => drawing(call).expand(call.inputs[0]!, call.outputs[0]!),
  ReduceSum: reduceSum,
  Softmax: softmax,
  LayerNormalization: layerNormalization,
  BatchNormalization: batchNormalization,
  Concat: (call) => drawing(call).concat(call.inputs, call.attributes.axis),
  Slice: (call) => {
    const { axis, start, end } = call.attributes;
    return drawing(call).slice(call.inputs[0]!, axis, start, end);
  },
  Pad: pad,
  CumSum: cumSum,
  AveragePool: averagePool,
  MaxPool: maxPool,
  DFT: dft,
  TopK: topK,
  Gather: gather,
  GatherND: gatherND,
  ScatterND: scatterND,
};

/** How each operator is said in LiteRT's. */
export const emitters: ReadonlyMap<string, Emit> = new Map(Object.entries(byName) as [string, Emit][]);

/** LiteRT has no Erf. Abramowitz and Stegun 7.1.26: off by at most 1.5e-7. */
function erf(call: Emission): Part {
  const { file } = call;
  const [x] = call.inputs;
  const { one, binary } = drawing(call);
  const number = (value: number) => file.scalar(value, x!.shape.length);
  const size = one("ABS", [x], x!.shape);
  const t = binary("DIV", number(1), binary("ADD", binary("MUL", size, number(0.3275911)), number(1)));
  const sum = [-1.453152027, 1.421413741, -0.284496736, 0.254829592].reduce(
    (polynomial, c) => binary("ADD", binary("MUL", polynomial, t), number(c)),
    number(1.061405429),
  );
  const tail = one("EXP", [binary("MUL", binary("MUL", size, size), number(-1))], x!.shape);
  const above = binary("SUB", number(1), binary("MUL", binary("MUL", sum, t), tail));
  return binary("MUL", one("SIGN", [x], x!.shape), above);
}

function clip(call: Emission<ClipAttributes>): Part {
  const { min, max } = call.attributes;
  const { binary } = drawing(call);
  const [x] = call.inputs;
  const number = (value: number) => call.file.scalar(value, x!.shape.length);
  const above = min === undefined ? x! : binary("MAXIMUM", x!, number(min));
  return max === undefined ? above : binary("MINIMUM", above, number(max));
}

function where(call: Emission): Part {
  const [condition, a, b] = call.inputs;
  const { one } = drawing(call);
  const truth = one(
    "NOT_EQUAL",
    [condition, call.file.scalar(0, condition!.shape.length)],
    condition!.shape,
    {},
    "bool",
  );
  return one("SELECT_V2", [truth, a, b], call.outputs[0]!, {}, a!.type);
}

function scale(call: Emission<ScaleAttributes>): Part {
  const { by, per } = call.attributes;
  const [x] = call.inputs;
  const factor = by / (isBatch(per) ? per.batch * call.batch : per);
  return drawing(call).binary("MUL", x!, call.file.scalar(factor, x!.shape.length));
}

/** A product with a constant matrix is FULLY_CONNECTED, which wants it as [outputs, inputs]. */
function matMul(call: Emission): Part {
  const [a, b] = call.inputs as [Part, Part];
  const { transpose, fullyConnected, one, reshape } = drawing(call);
  const swapped = (x: Part) => {
    const perm = x.shape.map((_, axis) => axis);
    return transpose(x, [...perm.slice(0, -2), perm.at(-1)!, perm.at(-2)!]);
  };
  if (a.data !== undefined && a.shape.length === 2 && b.data === undefined)
    return swapped(fullyConnected(swapped(b), a));
  const [output] = call.outputs as [readonly number[]];
  const lead = output.slice(0, -2);
  const whole = (x: Part) => {
    const own = x.shape.slice(0, -2);
    if (sameExtents(own, lead) || own.every((extent) => extent === 1)) return x;
    return drawing(call).expand(x, [...lead, ...x.shape.slice(-2)]);
  };
  const same = [a, b].every(({ shape }) => sameExtents(shape.slice(0, -2), lead));
  // Products of more than five axes are run with the leading ones merged.
  if (same && lead.length > 3) {
    const merged = (shape: readonly number[]) => [
      lead.reduce((n, extent) => n * extent, 1),
      ...shape.slice(-2),
    ];
    const [left, right] = [a, b].map((x) => reshape(x, merged(x.shape)));
    return reshape(one("BATCH_MATMUL", [left, right], merged(output)), output);
  }
  return one("BATCH_MATMUL", [whole(a), whole(b)], output);
}

function reduceSum(call: Emission<ReduceAttributes>): Part {
  const { axes, keepdims } = call.attributes;
  const [x] = call.inputs;
  const positive = axes.map((axis) => normalizeAxis(axis, x!.shape.length));
  return drawing(call).reduce("SUM", x!, positive, keepdims);
}

/** LiteRT's softmax runs along the last axis. */
function softmax(call: Emission<AxisAttributes>): Part {
  const [x] = call.inputs;
  const { one, transpose } = drawing(call);
  const rank = x!.shape.length;
  const axis = normalizeAxis(call.attributes.axis, rank);
  const perm = x!.shape.map((_, i) => (i === axis ? rank - 1 : i === rank - 1 ? axis : i));
  const turned = transpose(x!, perm);
  return transpose(one("SOFTMAX", [turned], turned.shape, { beta: 1 }), perm);
}

function layerNormalization(call: Emission<EpsilonAttributes>): Part {
  const [x, factor, bias] = call.inputs as [Part, Part, Part];
  const { binary, reduce, one } = drawing(call);
  const rank = x.shape.length;
  const share = call.file.scalar(1 / x.shape[rank - 1]!, rank);
  const mean = (part: Part) => binary("MUL", reduce("SUM", part, [rank - 1], true), share);
  const centred = binary("SUB", x, mean(x));
  const variance = mean(binary("MUL", centred, centred));
  const safe = binary("ADD", variance, call.file.scalar(call.attributes.epsilon, rank));
  const normalized = binary("MUL", centred, one("RSQRT", [safe], safe.shape));
  return binary("ADD", binary("MUL", normalized, factor), bias);
}

/** Statistics are fixed at inference; they lie along axis 1. */
function batchNormalization(call: Emission<BatchNormalizationAttributes>): Part {
  const [x, ...vectors] = call.inputs as [Part, ...Part[]];
  const { binary, one, reshape } = drawing(call);
  const rank = x.shape.length;
  const along = [x.shape[1]!, ...Array.from({ length: rank - 2 }, () => 1)];
  const [factor, bias, mean, variance] = vectors.map((vector) => reshape(vector, along)) as [
    Part,
    Part,
    Part,
    Part,
  ];
  const safe = binary("ADD", variance, call.file.scalar(call.attributes.epsilon, along.length));
  const steep = binary("MUL", one("RSQRT", [safe], along), factor);
  return binary("ADD", binary("MUL", binary("SUB", x, mean), steep), bias);
}
