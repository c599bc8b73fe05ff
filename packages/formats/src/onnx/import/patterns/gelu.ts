import { type Builder, erfOperator, gelu, mulOperator, type Value } from "@espalier/core/graph";
import { drawnBy, inputsOf, isClose, plusNumber, type Scalars, unscaled } from "./match.ts";

/**
 * x·½·(1 + erf(x ÷ √2)) in any order of the factors: GELU as written before opset 20. `product` is the value of a Mul
 * or a Scale; undefined if it is something else.
 */
export function recogniseGelu(b: Builder, product: Value, scalars: Scalars): Value | undefined {
  const { factors, by } = factorsOf(b, product, 3);
  if (factors.length !== 2 || !isClose(by, 0.5)) return undefined;
  for (const [x, other] of [factors, factors.toReversed()] as [Value, Value][]) {
    const shifted = plusNumber(b, other, scalars);
    const erf = shifted?.number === 1 ? drawnBy(b, shifted.value, erfOperator) : undefined;
    if (erf === undefined) continue;
    const argument = unscaled(b, b.value(erf.inputs[0]!));
    const own = unscaled(b, x);
    if (argument.value.id === own.value.id && isClose(argument.by / own.by, Math.SQRT1_2)) return gelu(b, x);
  }
  return undefined;
}

/** The values and the number that a product is made of. */
function factorsOf(b: Builder, value: Value, depth: number): { factors: readonly Value[]; by: number } {
  const scaled = unscaled(b, value);
  const node = depth === 0 ? undefined : drawnBy(b, scaled.value, mulOperator);
  if (node === undefined) return { factors: [scaled.value], by: scaled.by };
  const parts = inputsOf(b, node).map((part) => factorsOf(b, part, depth - 1));
  return {
    factors: parts.flatMap(({ factors }) => factors),
    by: parts.reduce((by, part) => by * part.by, scaled.by),
  };
}
