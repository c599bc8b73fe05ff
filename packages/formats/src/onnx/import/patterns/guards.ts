import {
  addOperator,
  type Builder,
  equalOperator,
  greaterOperator,
  logOperator,
  reluOperator,
  softmaxOperator,
  subOperator,
  type Value,
} from "@espalier/core/graph";
import { drawnBy, inputsOf, type Scalars } from "./match.ts";

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

function isSoftmaxWithoutEmptyRows(b: Builder, value: Value, scalars: Guards): boolean {
  const softmax = drawnBy(b, value, softmaxOperator);
  if (softmax === undefined) return false;
  const sum = drawnBy(b, b.value(softmax.inputs[0]!), addOperator);
  const masks = sum === undefined ? [] : inputsOf(b, sum).filter((part) => b.producer(part) === undefined);
  return masks.every((mask) => {
    const numbers = scalars.numbersOf(mask);
    const width = numbers?.shape.at(-1) ?? 0;
    if (numbers === undefined || width === 0) return false;
    const rows = numbers.data.length / width;
    return Array.from({ length: rows }, (_, row) => row * width).every((start) =>
      Array.from({ length: width }, (_, i) => numbers.data[start + i]!).some(Number.isFinite),
    );
  });
}
