import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import type { DataType } from "../graph/graph.ts";
import { map } from "../reference/array.ts";
import type { None } from "./by-element.ts";
import { defineOperator, type Operator, zeroForZero } from "./operator.ts";

/** Functions that are constant between steps: they have no slope, so no gradient passes. */

function step(name: string, f: (x: number) => number): Operator<None> {
  return defineOperator<None>({
    name,
    arity: 1,
    broadcasts: true,
    simplify: zeroForZero,
    infer: ([x]) => [x!],
    couple: (coupling, [x], [y]) => coupling.sameAll(x!, y!),
    gradient: () => [undefined],
    evaluate: ([x]) => [map(x!, f)],
  });
}

/** The largest integer ≤ x. ONNX `Floor`. */
export const floorOperator: Operator<None> = step("Floor", Math.floor);

/** The nearest integer; halves round to even. ONNX `Round`. */
export const roundOperator: Operator<None> = step("Round", (x) => {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
});

/** The target type of a cast. */
export type CastAttributes = { readonly to: DataType };

/** Converts numbers to another type; int32 drops the fraction. ONNX `Cast`. */
export const castOperator: Operator<CastAttributes> = defineOperator<CastAttributes>({
  name: "Cast",
  arity: 1,
  broadcasts: true,
  simplify: zeroForZero,
  infer([x], { to }) {
    if (to !== "float32" && to !== "int32") throw new ShapeError(`it cannot cast to ${to}`);
    return [{ dtype: to, shape: x!.shape }];
  },
  couple: (coupling, [x], [y]) => coupling.sameAll(x!, y!),
  gradient: () => [undefined],
  evaluate: ([x], { to }) => [to === "int32" ? map(x!, Math.trunc) : x!],
});

/** Draws the largest integer ≤ x. */
export function floor(b: Builder, x: Value): Value {
  return b.apply(floorOperator, [x], {});
}
/** Draws the nearest integer; halves round to even. */
export function round(b: Builder, x: Value): Value {
  return b.apply(roundOperator, [x], {});
}
/** Draws a conversion to another type; int32 drops the fraction. */
export function cast(b: Builder, x: Value, to: DataType): Value {
  return x.dtype === to ? x : b.apply(castOperator, [x], { to });
}
