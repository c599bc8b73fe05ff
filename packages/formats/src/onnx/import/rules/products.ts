import {
  add,
  type Builder,
  type DftAttributes,
  dftMatrix,
  dftOperator,
  isCallOf,
  matMul,
  onesidedFrequencies,
  reshape,
  reshapeOperator,
  type Shape,
  sameShape,
  scale,
  swapAxes,
  transpose,
  transposeOperator,
  type Value,
} from "@espalier/core/graph";
import { type Call, input, lift, type Rule, spread, valueInput } from "../call.ts";
import { type Item, isKnown, isValue } from "../items.ts";

/** Matrix products. */

/** An operand; a matrix on the right that has lost its name is stored like PyTorch's, [out, in]. */
function factor(call: Call, i: number): Value {
  return lift(call, input(call, i), { as: "weight", restore: i === 1 });
}

/** A vector counts as a row on the left and as a column on the right; the added axis is removed again. */
const matMulRule: Rule = (call) => {
  const { b } = call;
  const spectrum = fourier(call);
  if (spectrum !== undefined) return spectrum;
  const [left, right] = [factor(call, 0), factor(call, 1)];
  const row = left.shape.length === 1;
  const column = right.shape.length === 1;
  const x = row ? reshape(b, left, [1, ...left.shape]) : left;
  const y = column ? reshape(b, right, [...right.shape, 1]) : right;
  const lead = (shape: Shape) => [...shape.slice(0, -2), 1, 1];
  const product = matMul(b, spread(call, x, lead(y.shape)), spread(call, y, lead(x.shape)));
  const { shape } = product;
  const kept = shape.filter(
    (_, axis) => !(row && axis === shape.length - 2) && !(column && axis === shape.length - 1),
  );
  return reshape(b, product, kept);
};

/**
 * A Fourier transform written by Espalier as a product with the matrix of the transform: recognised by its name, and
 * checked by its numbers.
 */
function fourier(call: Call): Value | undefined {
  const [x, matrix] = [input(call, 0), input(call, 1)];
  if (!isValue(x) || !isKnown(matrix) || x.shape.length !== 2) return undefined;
  const name = /^dft\/(forward|inverse)\/(onesided\/)?(\d{1,6})\/([12])$/.exec(matrix.source?.name ?? "");
  if (name === null) return undefined;
  const [direction, sided, length, parts] = [name[1], name[2], Number(name[3]), Number(name[4])];
  const [inverse, onesided] = [direction === "inverse", sided !== undefined];
  const frequencies = onesided ? onesidedFrequencies(length) : length;
  const [before, after] = inverse ? [frequencies, length] : [length, frequencies];
  const to = inverse && onesided ? 1 : 2;
  if (matrix.shape[0] !== before * parts || matrix.shape[1] !== after * to) return undefined;
  const expected = dftMatrix({ axis: 1, inverse, onesided, length }, parts);
  if (matrix.data.some((value, i) => Math.abs(value - expected[i]!) > 1e-6)) return undefined;
  const { b } = call;
  const signal = reshape(b, x, [x.shape[0]!, before, parts]);
  const spectrum = transform(b, withoutMerging(b, signal), { inverse, onesided, length });
  return reshape(b, spectrum, [x.shape[0]!, after * to]);
}

/** A signal [rows, positions, parts] before its rows were merged. */
function withoutMerging(b: Builder, signal: Value): Value {
  const producer = b.producer(signal);
  if (!isCallOf(producer, reshapeOperator)) return signal;
  const before = b.value(producer.inputs[0]!);
  return sameShape(before.shape.slice(-2), signal.shape.slice(-2)) ? before : signal;
}

/** The transform along the last axis but one or, if a transpose brought it there, along its original axis. */
function transform(b: Builder, signal: Value, attributes: Omit<DftAttributes, "axis">): Value {
  const rank = signal.shape.length;
  const producer = b.producer(signal);
  const perm = isCallOf(producer, transposeOperator) ? producer.attributes.perm : undefined;
  if (producer === undefined || perm?.at(-1) !== rank - 1)
    return b.apply(dftOperator, [signal], { ...attributes, axis: rank - 2 });
  const before = b.value(producer.inputs[0]!);
  return transpose(b, b.apply(dftOperator, [before], { ...attributes, axis: perm[rank - 2]! }), perm);
}

/** α·A·B + β·C, either factor transposed. */
const gemm: Rule = (call) => {
  const { b, attributes } = call;
  const transposed = (name: string) => attributes.int(name, 0) !== 0;
  const left = valueInput(call, 0, { as: "weight" });
  // A weight [out, in] is transposed in the call; one that the exporter transposed has lost its name.
  const right = valueInput(call, 1, { as: "weight", restore: !transposed("transB") });
  const x = transposed("transA") ? swapAxes(b, left, 0, 1) : left;
  const y = transposed("transB") ? swapAxes(b, right, 0, 1) : right;
  const product = scaled(call, matMul(b, x, y), attributes.float("alpha", 1));
  const beta = attributes.float("beta", 1);
  if (call.inputs[2] === undefined || beta === 0) return product;
  return add(b, product, scaled(call, lift(call, bias(call), { as: "bias" }), beta));
};

/** The third operand; one row of it is a vector. */
function bias(call: Call): Item {
  const item = input(call, 2);
  if (!isKnown(item) || item.shape.length !== 2 || item.shape[0] !== 1) return item;
  return { ...item, shape: item.shape.slice(1) };
}

function scaled({ b }: Call, x: Value, by: number): Value {
  return by === 1 ? x : scale(b, x, by);
}

export const products: Readonly<Record<string, Rule>> = { MatMul: matMulRule, Gemm: gemm };
