import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { elementsOf, printShape, type Shape, sameExtent, sameShape } from "../graph/extent.ts";
import { ndarray, strides, walk } from "../reference/array.ts";
import { defineOperator, isCallOf, type Operator, zeroForZero } from "./operator.ts";

/** For each output axis, the corresponding input axis. */
export type PermutationAttributes = { readonly perm: readonly number[] };

/** Reorders axes: output axis i is input axis perm[i]. ONNX `Transpose`. */
export const transposeOperator: Operator<PermutationAttributes> = defineOperator<PermutationAttributes>({
  name: "Transpose",
  arity: 1,
  rearranges: "all",
  simplify: zeroForZero,
  infer([x], { perm }) {
    if ([...perm].sort((a, b) => a - b).some((axis, i) => axis !== i) || perm.length !== x!.shape.length) {
      throw new ShapeError(`[${perm.join(", ")}] is not an order of its axes`);
    }
    return [{ dtype: x!.dtype, shape: perm.map((axis) => x!.shape[axis]!) }];
  },
  couple(coupling, [x], [y], { perm }) {
    perm.forEach((from, to) => {
      coupling.same(x!.axes[from]!, y!.axes[to]!);
    });
  },
  gradient: (b, { gradients, attributes: { perm } }) => [
    gradients[0] &&
      transpose(
        b,
        gradients[0],
        perm.map((_, axis) => perm.indexOf(axis)),
      ),
  ],
  evaluate([x], { perm }, [shape]) {
    const out = ndarray(shape!);
    const from = strides(x!.shape);
    walk(shape!, [perm.map((axis) => from[axis]!)], (i, [source]) => {
      out.data[i] = x!.data[source!]!;
    });
    return [out];
  },
});

/** The new shape of a value. */
export type ShapeAttributes = { readonly shape: Shape };

/** The same elements in row-major order under another shape. ONNX `Reshape` with a constant shape. */
export const reshapeOperator: Operator<ShapeAttributes> = defineOperator<ShapeAttributes>({
  name: "Reshape",
  arity: 1,
  rearranges: "all",
  infer([x], { shape }) {
    if (!sameExtent(elementsOf(x!.shape), elementsOf(shape))) {
      throw new ShapeError(`it cannot become ${printShape(shape)}, which has another number of elements`);
    }
    return [{ dtype: x!.dtype, shape }];
  },
  couple: (coupling, [x], [y]) => coupling.regroup(x!.axes, y!.axes),
  resize: (_attributes, { outputs }) => ({ shape: outputs[0]!.shape }),
  simplify: zeroForZero,
  gradient: (b, { inputs, gradients }) => [gradients[0] && reshape(b, gradients[0], inputs[0]!.shape)],
  evaluate: ([x], _attributes, [shape]) => [{ shape: shape!, data: x!.data }],
});

/** Draws a transpose. A transpose of a transpose becomes one; a transpose that changes nothing is left out. */
export function transpose(b: Builder, x: Value, perm: readonly number[]): Value {
  const from = b.producer(x);
  if (isCallOf(from, transposeOperator)) {
    const first = from.attributes.perm;
    return transpose(
      b,
      b.value(from.inputs[0]!),
      perm.map((axis) => first[axis]!),
    );
  }
  return perm.every((axis, i) => axis === i) ? x : b.apply(transposeOperator, [x], { perm });
}

/** Exchanges two axes (negative ones count from the end). */
export function swapAxes(b: Builder, x: Value, first: number, second: number): Value {
  const rank = x.shape.length;
  const perm = x.shape.map((_, axis) => axis);
  const i = (first + rank) % rank;
  const j = (second + rank) % rank;
  [perm[i], perm[j]] = [perm[j]!, perm[i]!];
  return transpose(b, x, perm);
}

/** Draws a reshape. A reshape of a reshape becomes one; a reshape that changes nothing is left out. */
export function reshape(b: Builder, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const from = b.producer(x);
  if (isCallOf(from, reshapeOperator)) return reshape(b, b.value(from.inputs[0]!), shape);
  return b.apply(reshapeOperator, [x], { shape });
}
