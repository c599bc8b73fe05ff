import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import {
  broadcastShapes,
  countElements,
  type Extent,
  elementsOf,
  type Shape,
  sameExtent,
} from "../graph/extent.ts";
import { broadcastStrides, ndarray, walk } from "../reference/array.ts";
import { reduceTo } from "./broadcast.ts";
import type { None } from "./elementwise.ts";
import { reshape, swapAxes } from "./layout.ts";
import { defineOperator, type Operator } from "./operator.ts";

/** Matrix product over the last two axes, leading axes broadcast. Both operands have rank ≥ 2. ONNX `MatMul`. */
export const matMulOperator: Operator<None> = defineOperator<None>({
  name: "MatMul",
  arity: 2,
  simplify: ([a, b]) => (a || b ? "zero" : undefined),
  infer([a, b]) {
    const [left, right] = [a!.shape, b!.shape];
    if (left.length < 2 || right.length < 2) throw new ShapeError("both need rank 2 or more");
    if (!sameExtent(left.at(-1)!, right.at(-2)!)) throw new ShapeError("the contracted axes differ");
    const lead = broadcastShapes(left.slice(0, -2), right.slice(0, -2));
    if (lead === undefined) throw new ShapeError("the leading axes do not broadcast");
    return [{ dtype: a!.dtype, shape: [...lead, left.at(-2)!, right.at(-1)!] }];
  },
  /**
   * Two batched operands with one contracted element are multiplied, not contracted: PyTorch's einsum neither runs nor
   * counts a product.
   */
  flops: ([a, b], [y]) => {
    const inner = a!.at(-1)!;
    return inner === 1 && a!.length > 2 && b!.length > 2 ? 0 : 2 * inner * countElements(y!);
  },
  couple(coupling, [a, b], [y]) {
    coupling.same(a!.axes.at(-1)!, b!.axes.at(-2)!);
    coupling.same(a!.axes.at(-2)!, y!.axes.at(-2)!);
    coupling.same(b!.axes.at(-1)!, y!.axes.at(-1)!);
    const lead = (operand: typeof a) => ({
      ...operand!,
      axes: operand!.axes.slice(0, -2),
      shape: operand!.shape.slice(0, -2),
    });
    coupling.broadcast(lead(a), lead(y));
    coupling.broadcast(lead(b), lead(y));
    if (a!.activation && b!.activation) coupling.note(a!.axes.at(-1)!, "contracted");
    for (let back = 3; back <= Math.min(a!.axes.length, b!.axes.length); back++) {
      if (sameExtent(a!.shape.at(-back)!, b!.shape.at(-back)!))
        coupling.note(a!.axes.at(-back)!, "batchOfProduct");
    }
  },
  gradient(b, { inputs: [x, w], gradients: [dy], wants }) {
    if (dy === undefined) return [undefined, undefined];
    // One matrix for all leading positions: its gradient is one product over all of them.
    const shared = w!.shape.length === 2 && x!.shape.length > 2;
    const flat = (v: Value) => (shared ? reshape(b, v, matrixShape(v.shape)) : v);
    const dx = () => reduceTo(b, matMul(b, dy, swapAxes(b, w!, -1, -2)), x!.shape);
    const dw = () => reduceTo(b, matMul(b, swapAxes(b, flat(x!), -1, -2), flat(dy)), w!.shape);
    return [wants(0) ? dx() : undefined, wants(1) ? dw() : undefined];
  },
  evaluate([a, b], _attributes, [shape]) {
    const out = ndarray(shape!);
    const [rows, columns] = [shape!.at(-2)!, shape!.at(-1)!];
    const inner = a!.shape.at(-1)!;
    const lead = shape!.slice(0, -2);
    const leadStrides = (operand: readonly number[]) => {
      const size = operand.at(-1)! * operand.at(-2)!;
      return broadcastStrides(operand.slice(0, -2), lead).map((stride) => stride * size);
    };
    walk(lead, [leadStrides(a!.shape), leadStrides(b!.shape)], (position, [oa, ob]) => {
      for (let r = 0; r < rows; r++) {
        const target = (position * rows + r) * columns;
        for (let k = 0; k < inner; k++) {
          const left = a!.data[oa! + r * inner + k]!;
          for (let c = 0; c < columns; c++) out.data[target + c]! += left * b!.data[ob! + k * columns + c]!;
        }
      }
    });
    return [out];
  },
});

/** Merges all leading axes, so that a product with a single matrix is two-dimensional. */
function matrixShape(shape: Shape): Shape {
  return [elementsOf(shape.slice(0, -1)), shape.at(-1) as Extent];
}

/** Draws x […, M, K] · y […, K, N] → […, M, N]; leading axes broadcast. */
export function matMul(b: Builder, x: Value, y: Value): Value {
  return b.apply(matMulOperator, [x, y], {});
}
