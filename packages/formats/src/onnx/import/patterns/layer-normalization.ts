import {
  addOperator,
  type Builder,
  divOperator,
  layerNormalization,
  mulOperator,
  reduceSumOperator,
  sqrtOperator,
  subOperator,
  type Value,
} from "@espalier/core/graph";
import { drawnBy, inputsOf, isClose, isSame, plusNumber, type Scalars, unscaled } from "./match.ts";

/**
 * (x − mean) ÷ √(variance + ε) · γ + β over the last axis, as written before opset 17: mean and variance by two means,
 * γ and β vectors. `sum` is the value of an Add; undefined if it is something else.
 */
export function recogniseLayerNormalization(b: Builder, sum: Value, scalars: Scalars): Value | undefined {
  const node = drawnBy(b, sum, addOperator);
  if (node === undefined) return undefined;
  const [left, right] = inputsOf(b, node) as [Value, Value];
  for (const [scaled, beta] of [
    [left, right],
    [right, left],
  ] as const) {
    const product = drawnBy(b, scaled, mulOperator);
    if (product === undefined || !isVectorFor(b, beta, sum)) continue;
    const [first, second] = inputsOf(b, product) as [Value, Value];
    for (const [normalized, gamma] of [
      [first, second],
      [second, first],
    ] as const) {
      if (!isVectorFor(b, gamma, sum)) continue;
      const found = normalization(b, normalized, scalars);
      if (found !== undefined) return layerNormalization(b, found.x, gamma, beta, found.epsilon);
    }
  }
  return undefined;
}

/** Whether a value is a tensor (not computed) with the length of the last axis. */
function isVectorFor(b: Builder, vector: Value, x: Value): boolean {
  return vector.shape.length === 1 && vector.shape[0] === x.shape.at(-1) && b.producer(vector) === undefined;
}

function normalization(
  b: Builder,
  value: Value,
  scalars: Scalars,
): { x: Value; epsilon: number } | undefined {
  const quotient = quotientOf(b, value, scalars);
  if (quotient === undefined) return undefined;
  const { centred, deviation } = quotient;
  const root = drawnBy(b, deviation, sqrtOperator);
  const shifted = root && plusNumber(b, b.value(root.inputs[0]!), scalars);
  const square = shifted && meanOf(b, shifted.value);
  const product = square && drawnBy(b, square, mulOperator);
  const difference = drawnBy(b, centred, subOperator);
  if (product === undefined || difference === undefined) return undefined;
  if (!inputsOf(b, product).every((factor) => isSame(b, factor, centred))) return undefined;
  const [x, mean] = inputsOf(b, difference) as [Value, Value];
  const averaged = meanOf(b, mean);
  return averaged?.id === x.id ? { x, epsilon: shifted!.number } : undefined;
}

/** a ÷ b, or a · (1 ÷ b). */
function quotientOf(
  b: Builder,
  value: Value,
  { scalars }: Scalars,
): { centred: Value; deviation: Value } | undefined {
  const quotient = drawnBy(b, value, divOperator);
  if (quotient !== undefined) {
    const [centred, deviation] = inputsOf(b, quotient) as [Value, Value];
    return { centred, deviation };
  }
  const product = drawnBy(b, value, mulOperator);
  if (product === undefined) return undefined;
  const [left, right] = inputsOf(b, product) as [Value, Value];
  for (const [centred, inverse] of [
    [left, right],
    [right, left],
  ] as const) {
    const node = drawnBy(b, inverse, divOperator);
    if (node !== undefined && scalars.get(node.inputs[0]!) === 1)
      return { centred, deviation: b.value(node.inputs[1]!) };
  }
  return undefined;
}

/** The value whose mean over the last axis (with extent 1) this is; undefined if it is not a mean. */
function meanOf(b: Builder, value: Value): Value | undefined {
  const { value: sum, by } = unscaled(b, value);
  const node = drawnBy(b, sum, reduceSumOperator);
  if (node === undefined) return undefined;
  const { axes, keepdims } = node.attributes;
  const x = b.value(node.inputs[0]!);
  const width = x.shape.at(-1);
  const last = axes.length === 1 && (axes[0] === -1 || axes[0] === x.shape.length - 1);
  return last && keepdims && typeof width === "number" && isClose(by * width, 1) ? x : undefined;
}
