import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import {
  broadcastShapes,
  type Extent,
  elementsOf,
  normalizeAxis,
  type Shape,
  sameExtent,
  sameShape,
} from "../graph/extent.ts";
import { broadcastStrides, ndarray, strides, walk } from "../reference/array.ts";
import { reshape } from "./layout.ts";
import { defineOperator, type Operator, zeroForZero } from "./operator.ts";
import { scale } from "./scale.ts";

/** Repeats axes of extent 1. ONNX `Expand` with a constant shape. */
export const expandOperator: Operator<{ readonly shape: Shape }> = defineOperator<{ readonly shape: Shape }>({
  name: "Expand",
  arity: 1,
  rearranges: "all",
  infer([x], { shape }) {
    const result = broadcastShapes(x!.shape, shape);
    if (result === undefined || !sameShape(result, shape)) {
      throw new ShapeError("it cannot be repeated to the requested shape");
    }
    return [{ dtype: x!.dtype, shape }];
  },
  couple: (coupling, [x], [y]) => coupling.broadcast(x!, y!),
  resize: (_attributes, { outputs }) => ({ shape: outputs[0]!.shape }),
  simplify: zeroForZero,
  gradient: (b, { inputs, gradients }) => [gradients[0] && reduceTo(b, gradients[0], inputs[0]!.shape)],
  evaluate: ([x], _attributes, [shape]) => {
    const out = ndarray(shape!);
    walk(shape!, [broadcastStrides(x!.shape, shape!)], (i, [from]) => {
      out.data[i] = x!.data[from!]!;
    });
    return [out];
  },
});

/** The axes to sum over, and whether they stay with extent 1. */
export type ReduceAttributes = { readonly axes: readonly number[]; readonly keepdims: boolean };

/** Sum over axes. ONNX `ReduceSum` with constant axes. */
export const reduceSumOperator: Operator<ReduceAttributes> = defineOperator<ReduceAttributes>({
  name: "ReduceSum",
  arity: 1,
  simplify: zeroForZero,
  infer([x], { axes, keepdims }) {
    const reduced = axisSet(axes, x!.shape.length);
    const shape = x!.shape.flatMap((extent, axis) => (reduced.has(axis) ? (keepdims ? [1] : []) : [extent]));
    return [{ dtype: x!.dtype, shape }];
  },
  couple(coupling, [x], [y], { axes, keepdims }) {
    const reduced = axisSet(axes, x!.axes.length);
    let out = 0;
    x!.axes.forEach((axis, i) => {
      if (!reduced.has(i)) coupling.same(axis, y!.axes[out]!);
      else if (x!.activation) coupling.note(axis, "contracted");
      if (keepdims || !reduced.has(i)) out++;
    });
  },
  gradient(b, { inputs, gradients, attributes: { axes } }) {
    if (gradients[0] === undefined) return [undefined];
    const { shape } = inputs[0]!;
    const reduced = axisSet(axes, shape.length);
    const kept = shape.map((extent, axis) => (reduced.has(axis) ? 1 : extent));
    return [expand(b, reshape(b, gradients[0], kept), shape)];
  },
  evaluate([x], { axes }, [shape]) {
    const out = ndarray(shape!);
    const reduced = axisSet(axes, x!.shape.length);
    const kept = x!.shape.map((extent, axis) => (reduced.has(axis) ? 1 : extent));
    const to = strides(kept).map((stride, axis) => (reduced.has(axis) ? 0 : stride));
    walk(x!.shape, [to], (i, [o]) => {
      out.data[o!]! += x!.data[i]!;
    });
    return [out];
  },
});

function axisSet(axes: readonly number[], rank: number): Set<number> {
  return new Set(axes.map((axis) => normalizeAxis(axis, rank)));
}

/** Draws an Expand to a shape, unless the value already has it. */
export function expand(b: Builder, x: Value, shape: Shape): Value {
  return sameShape(x.shape, shape) ? x : b.apply(expandOperator, [x], { shape });
}

/** Draws a sum over axes, unless there are none. */
export function reduceSum(b: Builder, x: Value, axes: readonly number[], keepdims = false): Value {
  return axes.length === 0 ? x : b.apply(reduceSumOperator, [x], { axes, keepdims });
}

/**
 * Mean over axes, drawn as a sum and a division by the number of elements: if an axis is pruned, the trained divisor
 * stays.
 */
export function reduceMean(b: Builder, x: Value, axes: readonly number[], keepdims = false): Value {
  const reduced = axisSet(axes, x.shape.length);
  const count = elementsOf(x.shape.filter((_, axis) => reduced.has(axis)));
  return scale(b, reduceSum(b, x, axes, keepdims), 1, count);
}

/** Sums a gradient over the axes along which its value was repeated. */
export function reduceTo(b: Builder, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const repeated = (extent: Extent, axis: number) =>
    axis < lead || (shape[axis - lead] === 1 && !sameExtent(extent, 1));
  const axes = x.shape.flatMap((extent, axis) => (repeated(extent, axis) ? [axis] : []));
  return reshape(b, reduceSum(b, x, axes, true), shape);
}
