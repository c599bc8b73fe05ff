import {
  type Builder,
  divOperator,
  expOperator,
  maxPoolOperator,
  normalizeAxis,
  reduceSumOperator,
  softmax,
  subOperator,
  type Value,
} from "@espalier/core/graph";
import { drawnBy, inputsOf, isSame } from "./match.ts";

/**
 * eˣ ÷ Σ eˣ along one axis, with or without subtracting the largest x first. `quotient` is the value of a Div;
 * undefined if it is something else.
 */
export function recogniseSoftmax(b: Builder, quotient: Value): Value | undefined {
  const node = drawnBy(b, quotient, divOperator);
  if (node === undefined) return undefined;
  const [power, whole] = inputsOf(b, node) as [Value, Value];
  const [exponential, sum] = [drawnBy(b, power, expOperator), drawnBy(b, whole, reduceSumOperator)];
  if (exponential === undefined || sum === undefined) return undefined;
  const { axes, keepdims } = sum.attributes;
  if (axes.length !== 1 || !keepdims || !isSame(b, b.value(sum.inputs[0]!), power)) return undefined;
  const axis = normalizeAxis(axes[0]!, power.shape.length);
  const x = b.value(exponential.inputs[0]!);
  return softmax(b, withoutLargest(b, x, axis) ?? x, axis);
}

/** The value from which the maximum along an axis was subtracted. */
function withoutLargest(b: Builder, value: Value, axis: number): Value | undefined {
  const difference = drawnBy(b, value, subOperator);
  if (difference === undefined) return undefined;
  const [x, largest] = inputsOf(b, difference) as [Value, Value];
  const pool = drawnBy(b, largest, maxPoolOperator);
  if (pool === undefined || pool.inputs[0] !== x.id) return undefined;
  const attributes = pool.attributes;
  return attributes.axis === axis && attributes.kernel === x.shape[axis] ? x : undefined;
}
