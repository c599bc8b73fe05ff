import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { type Extent, normalizeAxis } from "../graph/extent.ts";
import { around, ndarray } from "../reference/array.ts";
import { checkAxis, defineOperator, type Operator, zeroForZero } from "./operator.ts";

/** The axis along which positions are selected, counted from the first. */
export type GatherAttributes = { readonly axis: number };

const meaning = "Gather picks positions along it";

/** x at `indices` along an axis: the axis is replaced by the axes of the indices. Inputs x, indices (int32). ONNX `Gather`. */
export const gatherOperator: Operator<GatherAttributes> = defineOperator<GatherAttributes>({
  name: "Gather",
  arity: 2,
  rearranges: "some",
  simplify: zeroForZero,
  infer([x, indices], { axis }) {
    if (indices!.dtype !== "int32") throw new ShapeError("the indices must be int32");
    checkAxis(axis, x!.shape.length);
    return [{ dtype: x!.dtype, shape: x!.shape.toSpliced(axis, 1, ...indices!.shape) }];
  },
  couple(coupling, [x, indices], [y], { axis }) {
    coupling.fixed(x!.axes[axis]!, meaning);
    const rank = indices!.axes.length;
    x!.axes.forEach((expression, i) => {
      if (i !== axis) coupling.same(expression, y!.axes[i < axis ? i : i - 1 + rank]!);
    });
    indices!.axes.forEach((expression, i) => {
      coupling.fixed(expression, meaning);
      coupling.same(expression, y!.axes[axis + i]!);
    });
  },
  gradient(b, { inputs: [x, indices], gradients, attributes: { axis } }) {
    const extent = x!.shape[axis]!;
    return [gradients[0] && b.apply(gatherGradient, [gradients[0], indices!], { axis, extent }), undefined];
  },
  evaluate([x, indices], { axis }, [shape]) {
    const { outer, extent, inner } = around(x!.shape, axis);
    const out = ndarray(shape!);
    const count = indices!.data.length;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < count; i++) {
        const from = (o * extent + indices!.data[i]!) * inner;
        out.data.set(x!.data.subarray(from, from + inner), (o * count + i) * inner);
      }
    }
    return [out];
  },
});

/** The axis of the Gather, and its extent. */
export type GatherGradientAttributes = { readonly axis: number; readonly extent: Extent };

/** Adds each slice of dy to the position it was gathered from: (dy, indices) → dx, `extent` long along `axis`. */
export const gatherGradient: Operator<GatherGradientAttributes> = defineOperator<GatherGradientAttributes>({
  name: "GatherGradient",
  arity: 2,
  infer: ([dy, indices], { axis, extent }) => [
    { dtype: dy!.dtype, shape: dy!.shape.toSpliced(axis, indices!.shape.length, extent) },
  ],
  couple(coupling, [dy, indices], [dx], { axis }) {
    coupling.fixed(dx!.axes[axis]!, meaning);
    const rank = indices!.axes.length;
    dx!.axes.forEach((expression, i) => {
      if (i !== axis) coupling.same(expression, dy!.axes[i < axis ? i : i - 1 + rank]!);
    });
    for (let i = 0; i < rank; i++) coupling.fixed(dy!.axes[axis + i]!, meaning);
  },
  evaluate([dy, indices], { axis }, [shape]) {
    const { outer, extent, inner } = around(shape!, axis);
    const out = ndarray(shape!);
    const count = indices!.data.length;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < count; i++) {
        const to = (o * extent + indices!.data[i]!) * inner;
        for (let k = 0; k < inner; k++) out.data[to + k]! += dy!.data[(o * count + i) * inner + k]!;
      }
    }
    return [out];
  },
});

/** Draws x at int32 indices along an axis, which the axes of the indices replace. */
export function gather(b: Builder, x: Value, indices: Value, axis: number): Value {
  return b.apply(gatherOperator, [x, indices], { axis: normalizeAxis(axis, x.shape.length) });
}
