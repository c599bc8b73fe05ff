import {
  addOperator,
  type Builder,
  equalOperator,
  greaterOperator,
  logOperator,
  matMulOperator,
  reluOperator,
  softmaxOperator,
  subOperator,
  type Value,
} from "@espalier/core/graph";
import { foldBinary } from "../arithmetic.ts";
import type { Known } from "../known.ts";
import { drawnBy, inputsOf, type Scalars, unscaled } from "./match.ts";

/**
 * A choice that exporters put around an operator for numbers that ours never sees:
 * - softplus with x itself for large x: ours does not overflow;
 * - a softmax with zeros for NaN, for rows that are masked completely. Returns the guarded value; undefined for any
 *   other choice.
 */
export function withoutGuard(
  b: Builder,
  truth: Value,
  yes: Value,
  no: Value,
  scalars: Guards,
): Value | undefined {
  const greater = drawnBy(b, truth, greaterOperator);
  if (greater !== undefined) {
    const [x, bound] = inputsOf(b, greater) as [Value, Value];
    const large = (scalars.scalars.get(bound.id) ?? 0) >= 10;
    return large && x.id === yes.id && isSoftplusOf(b, no, x) ? no : undefined;
  }
  // NaN is the only number that differs from itself: 1 − (p = p).
  const difference = drawnBy(b, truth, subOperator);
  const equal = difference && drawnBy(b, b.value(difference.inputs[1]!), equalOperator);
  if (equal === undefined || equal.inputs[0] !== no.id || equal.inputs[1] !== no.id) return undefined;
  return scalars.scalars.get(yes.id) === 0 && isSoftmaxWithoutEmptyRows(b, no, scalars) ? no : undefined;
}

/** Known constants: scalars, and masks. */
interface Guards extends Scalars {
  /** Numbers of a tensor, by the value that reads it. */
  numbersOf(
    value: Value,
  ): { readonly shape: readonly number[]; readonly data: ArrayLike<number> } | undefined;
}

/** ln(1 + eˣ) in its drawn form: max(x, 0) + ln(…). */
function isSoftplusOf(b: Builder, value: Value, x: Value): boolean {
  const sum = drawnBy(b, value, addOperator);
  if (sum === undefined) return false;
  const [left, right] = inputsOf(b, sum) as [Value, Value];
  return drawnBy(b, left, reluOperator)?.inputs[0] === x.id && drawnBy(b, right, logOperator) !== undefined;
}

/** Whether no row of a softmax can consist of −∞ only: its scores are products, and what is added to them is known. */
function isSoftmaxWithoutEmptyRows(b: Builder, value: Value, scalars: Guards): boolean {
  const softmax = drawnBy(b, value, softmaxOperator);
  if (softmax === undefined) return false;
  const masks: Known[] = [];
  for (const part of addends(b, b.value(softmax.inputs[0]!))) {
    const numbers = scalars.numbersOf(part);
    if (numbers !== undefined)
      masks.push({ kind: "float", shape: numbers.shape, data: Float64Array.from(numbers.data) });
    else if (drawnBy(b, unscaled(b, unmoved(b, part)).value, matMulOperator) === undefined) return false;
  }
  if (masks.length === 0) return true;
  const { shape, data } = masks.reduce((x, y) => foldBinary("Add", x, y));
  const width = shape.at(-1) ?? 0;
  return (
    width > 0 &&
    Array.from({ length: data.length / width }, (_, row) =>
      data.subarray(row * width, (row + 1) * width),
    ).every((row) => row.some(Number.isFinite))
  );
}

/** The terms of a sum, each once. */
function addends(b: Builder, value: Value): readonly Value[] {
  const [terms, sums] = [new Map<number, Value>(), new Map([[value.id, value]])];
  for (const term of sums.values()) {
    const sum = drawnBy(b, term, addOperator);
    if (sum === undefined) terms.set(term.id, term);
    else for (const part of inputsOf(b, sum)) sums.set(part.id, part);
  }
  return [...terms.values()];
}

/** A value before it was moved to other positions. */
function unmoved(b: Builder, value: Value): Value {
  const producer = b.producer(value);
  return producer?.operator.rearranges === undefined ? value : unmoved(b, b.value(producer.inputs[0]!));
}
