import {
  add,
  type Builder,
  concat,
  cumSum,
  type Extent,
  exp,
  isCallOf,
  log,
  matMulOperator,
  mul,
  reduceMean,
  reduceSum,
  reshape,
  scale,
  slice,
  sqrt,
  sub,
  topK,
  type Value,
} from "@espalier/core/graph";
import { foldBinary, foldUnary, pairMax, pairMin, pairProduct, pairSum } from "../arithmetic.ts";
import { reduceKnown, reshapeKnown } from "../arrays.ts";
import {
  axisOf,
  type Call,
  fixedExtent,
  input,
  isPlain,
  knownIntegers,
  knownNumber,
  lift,
  needed,
  type Rule,
  shapeOf,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { isKnown } from "../items.ts";
import { type Known, type Pair, scalar } from "../known.ts";
import { absolute } from "./activations.ts";
import { largerOf, smallerOf } from "./choices.ts";
import { largestAlong } from "./windows.ts";

/** Sums, means and extremes along axes. */

/** The axes of a reduction: an attribute in older versions, an input in newer ones; none means all, or no reduction. */
function axesOf(call: Call, rank: number): number[] {
  const given = call.attributes.ints("axes") ?? knownIntegers(call, 1, "axes") ?? [];
  const noneMeansAll = call.attributes.int("noop_with_empty_axes", 0) === 0;
  if (given.length > 0) return [...new Set(given.map((axis) => axisOf(axis, rank)))];
  if (!noneMeansAll) return [];
  return Array.from({ length: rank }, (_, axis) => axis);
}

/**
 * How one reduction is computed for constants and drawn for values. The drawing may keep the axes with extent 1, or
 * remove them if asked.
 */
interface Reduction {
  known?(x: Known, axes: ReadonlySet<number>): Known;
  draw?(call: Call, x: Value, axes: readonly number[], kept: boolean): Value;
  /** Combines two integers, which floating-point numbers cannot hold. */
  pair?(call: Call, x: Value, y: Value): Value;
}

/** Combines all positions along an axis, half of them with the other half until one is left. */
function pairwise(b: Builder, x: Value, axis: number, pair: (x: Value, y: Value) => Value): Value {
  const extent = fixedExtent(x.shape[axis]!, "reducing integers along the batch axis");
  if (extent <= 1) return x;
  const half = extent >> 1;
  const part = (start: number, end: number) => slice(b, x, axis, start, end);
  const joined = pair(part(0, half), part(half, 2 * half));
  const rest = extent % 2 === 0 ? joined : concat(b, [joined, part(2 * half, extent)], axis);
  return pairwise(b, rest, axis, pair);
}

function reduction({ known, draw, pair }: Reduction): Rule {
  return (call) => {
    const item = input(call, 0);
    const shape = shapeOf(item);
    const axes = axesOf(call, shape.length);
    const kept = call.attributes.int("keepdims", 1) !== 0;
    const result = shape.flatMap((extent, axis): Extent[] =>
      !axes.includes(axis) ? [extent] : kept ? [1] : [],
    );
    // The norm of a weight is a number that it is divided by: trained or masked apart from it, it would be a fault.
    const ofWeight = call.operator === "ReduceL2" && isKnown(item);
    if ((isPlain(call, item) || ofWeight) && known !== undefined)
      return reshapeKnown(known(item, new Set(axes)), result as number[]);
    if (draw === undefined) throw new UnreadableError("it can only be computed for constants");
    const x = lift(call, item);
    if (x.dtype === "float32") return reshape(call.b, draw(call, x, axes, kept), result);
    if (pair === undefined) throw new UnreadableError("it takes floating-point numbers only");
    const drawn = axes.reduce((value, axis) => pairwise(call.b, value, axis, (a, c) => pair(call, a, c)), x);
    return reshape(call.b, drawn, result);
  };
}

const combined = (combine: (a: Pair, b: Pair) => Pair) => (x: Known, axes: ReadonlySet<number>) =>
  reduceKnown(x, axes, combine);
const sumKnown = combined(pairSum);
const sumOf = ({ b }: Call, x: Value, axes: readonly number[], kept = true) => reduceSum(b, x, axes, kept);
const largestOf = ({ b }: Call, x: Value, axes: readonly number[]) =>
  axes.reduce((value, axis) => largestAlong(b, value, axis), x);
const negative = ({ b }: Call, x: Value) => scale(b, x, -1);

function meanKnown(x: Known, axes: ReadonlySet<number>): Known {
  const whole = sumKnown(x, axes);
  const count = x.shape.reduce((n, extent, axis) => (axes.has(axis) ? n * extent : n), 1);
  return foldBinary("Div", whole, scalar(whole.kind, count));
}

/**
 * A mean. One over a batch axis of a product (attention heads that share their values) is a sum of shares that are a
 * tensor: a head without its share contributes nothing, whatever its softmax gives, and so heads can go one by one.
 */
function meanOf(call: Call, x: Value, axes: readonly number[], kept: boolean): Value {
  const { b, context, module } = call;
  const [axis] = axes as [number];
  const count = x.shape[axis];
  const overHeads =
    axes.length === 1 && axis > 0 && axis < x.shape.length - 2 && isCallOf(b.producer(x), matMulOperator);
  if (!overHeads || typeof count !== "number" || count === 1 || context.weights.rolesAreTold)
    return reduceMean(b, x, axes, kept);
  const shares = context.weights.buffer(module === "" ? "head_shares" : `${module}.head_shares`, {
    kind: "float",
    shape: [count, ...x.shape.slice(axis + 1).map(() => 1)],
    data: new Float32Array(count).fill(1 / count),
  });
  return reduceSum(b, mul(b, x, shares), axes, kept);
}

/** ln Σ eˣ, with the maximum subtracted first. */
function logSumExp(call: Call, x: Value, axes: readonly number[]): Value {
  const { b } = call;
  const largest = largestOf(call, x, axes);
  return add(b, log(b, reduceSum(b, exp(b, sub(b, x, largest)), axes, true)), largest);
}

/** Positions of the largest (or smallest) values along an axis; of equal values the first, or the last. */
function extremePosition(sign: 1 | -1): Rule {
  return (call) => {
    const x = lift(call, input(call, 0));
    const axis = axisOf(call.attributes.int("axis", 0), x.shape.length);
    const [, positions] = topK(call.b, sign === 1 ? x : negative(call, x), axis, 1);
    const kept = call.attributes.int("keepdims", 1) !== 0;
    return reshape(call.b, positions, kept ? positions.shape : positions.shape.toSpliced(axis, 1));
  };
}

const topKRule: Rule = (call) => {
  const x = lift(call, input(call, 0));
  const axis = axisOf(call.attributes.int("axis", -1), x.shape.length);
  const k = needed(knownNumber(call, 1, "k"), "k");
  if (call.attributes.int("largest", 1) !== 0) return topK(call.b, x, axis, k);
  const [values, positions] = topK(call.b, negative(call, x), axis, k);
  return [negative(call, values), positions];
};

const cumulative: Rule = (call) => {
  const item = input(call, 0);
  const axis = axisOf(needed(knownNumber(call, 1, "axis"), "axis"), shapeOf(item).length);
  const [exclusive, reverse] = ["exclusive", "reverse"].map((name) => call.attributes.int(name, 0) !== 0);
  if (isPlain(call, item)) return cumulativeKnown(item, axis, exclusive!, reverse!);
  return cumSum(call.b, lift(call, item), axis, { exclusive: exclusive!, reverse: reverse! });
};

function cumulativeKnown(x: Known, axis: number, exclusive: boolean, reverse: boolean): Known {
  const inner = x.shape.slice(axis + 1).reduce((n, extent) => n * extent, 1);
  const extent = x.shape[axis]!;
  const data = new Float64Array(x.data.length);
  for (let lane = 0; lane < data.length / Math.max(1, extent); lane++) {
    const start = Math.floor(lane / inner) * extent * inner + (lane % inner);
    let sum = 0;
    for (let i = 0; i < extent; i++) {
      const at = start + (reverse ? extent - 1 - i : i) * inner;
      data[at] = exclusive ? sum : sum + x.data[at]!;
      sum += x.data[at]!;
    }
  }
  return { kind: x.kind, shape: x.shape, data };
}

export const reductions: Readonly<Record<string, Rule>> = {
  ReduceSum: reduction({ known: sumKnown, draw: sumOf, pair: ({ b }, x, y) => add(b, x, y) }),
  ReduceMean: reduction({ known: meanKnown, draw: meanOf }),
  ReduceMax: reduction({ known: combined(pairMax), draw: largestOf, pair: largerOf }),
  ReduceMin: reduction({
    known: combined(pairMin),
    draw: (call, x, axes) => negative(call, largestOf(call, negative(call, x), axes)),
    pair: smallerOf,
  }),
  ReduceProd: reduction({ known: combined(pairProduct) }),
  ReduceSumSquare: reduction({
    known: (x, axes) => sumKnown(foldBinary("Mul", x, x), axes),
    draw: (call, x, axes) => sumOf(call, mul(call.b, x, x), axes),
  }),
  ReduceL1: reduction({
    known: (x, axes) => sumKnown(foldUnary("Abs", x)!, axes),
    draw: (call, x, axes) => sumOf(call, absolute(call.b, x), axes),
  }),
  ReduceL2: reduction({
    known: (x, axes) => foldUnary("Sqrt", sumKnown(foldBinary("Mul", x, x), axes))!,
    draw: (call, x, axes) => sqrt(call.b, sumOf(call, mul(call.b, x, x), axes)),
  }),
  ReduceLogSum: reduction({ draw: (call, x, axes) => log(call.b, sumOf(call, x, axes)) }),
  ReduceLogSumExp: reduction({ draw: logSumExp }),
  ArgMax: extremePosition(1),
  ArgMin: extremePosition(-1),
  TopK: topKRule,
  CumSum: cumulative,
};
