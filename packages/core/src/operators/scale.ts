import type { Builder, Value } from "../graph/builder.ts";
import { type Extent, resolveExtent } from "../graph/extent.ts";
import { map } from "../reference/array.ts";
import { checkNumbers, defineOperator, type Operator, zeroForZero } from "./operator.ts";

/** `by / per`; `per` may be a multiple of the batch size. */
export type ScaleAttributes = { readonly by: number; readonly per: Extent };

/** The factor of a Scale at a batch size. */
export function scaleFactor({ by, per }: ScaleAttributes, batchSize: number): number {
  return by / resolveExtent(per, batchSize);
}

/**
 * Multiplication with a number that stays the same when dimensions shrink: 1/√C of attention, 1/n of a mean. ONNX:
 * `Mul` with a scalar constant.
 */
export const scaleOperator: Operator<ScaleAttributes> = defineOperator<ScaleAttributes>({
  name: "Scale",
  arity: 1,
  broadcasts: true,
  simplify: zeroForZero,
  infer([x], { by, per }) {
    checkNumbers({ by, per: typeof per === "object" ? per?.batch : per });
    return [x!];
  },
  couple: (coupling, [x], [y]) => coupling.sameAll(x!, y!),
  gradient: (b, { gradients, attributes }) => [
    gradients[0] && b.apply(scaleOperator, [gradients[0]], attributes),
  ],
  evaluate: ([x], attributes, _shapes, batchSize) => {
    const factor = scaleFactor(attributes, batchSize);
    return [map(x!, (value) => value * factor)];
  },
});

/** Draws x · by ÷ per. */
export function scale(b: Builder, x: Value, by: number, per: Extent = 1): Value {
  return b.apply(scaleOperator, [x], { by, per });
}
