import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { isBatch, normalizeAxis } from "../graph/extent.ts";
import { mapLanes } from "../reference/array.ts";
import { checkAxis, defineOperator, type Operator, zeroForZero } from "./operator.ts";

/** Axis and variant of a cumulative sum. */
export type CumSumAttributes = {
  readonly axis: number;
  /** Excludes each position's own value from its sum. */
  readonly exclusive: boolean;
  /** Sums from the end. */
  readonly reverse: boolean;
};

/** Sum of all values up to each position along one axis. ONNX `CumSum` with a constant axis. */
export const cumSumOperator: Operator<CumSumAttributes> = defineOperator<CumSumAttributes>({
  name: "CumSum",
  arity: 1,
  simplify: zeroForZero,
  infer([x], { axis }) {
    checkAxis(axis, x!.shape.length);
    if (isBatch(x!.shape[axis]!)) throw new ShapeError("the batch axis cannot be summed cumulatively");
    return [x!];
  },
  couple(coupling, [x], [y], { axis }) {
    coupling.sameAll(x!, y!);
    coupling.fixed(x!.axes[axis]!, "CumSum runs along it");
  },
  gradient: (b, { gradients: [dy], attributes }) => [
    dy && b.apply(cumSumOperator, [dy], { ...attributes, reverse: !attributes.reverse }),
  ],
  evaluate: ([x], { axis, exclusive, reverse }) => [
    mapLanes(x!, axis, (lane) => {
      const sums = new Float64Array(lane.length);
      let sum = 0;
      for (let i = 0; i < lane.length; i++) {
        const at = reverse ? lane.length - 1 - i : i;
        sums[at] = exclusive ? sum : sum + lane[at]!;
        sum += lane[at]!;
      }
      return sums;
    }),
  ],
});

/** Sum of all values up to each position along an axis; a negative axis counts from the last. */
export function cumSum(
  b: Builder,
  x: Value,
  axis: number,
  { exclusive = false, reverse = false }: Partial<Omit<CumSumAttributes, "axis">> = {},
): Value {
  return b.apply(cumSumOperator, [x], { axis: normalizeAxis(axis, x.shape.length), exclusive, reverse });
}
