import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { isBatch, normalizeAxis } from "../graph/extent.ts";
import { around, ndarray } from "../reference/array.ts";
import { expand, expandOperator, reduceMean } from "./broadcast.ts";
import { gather } from "./gather.ts";
import { scatterND } from "./gather-nd.ts";
import { reshape, swapAxes } from "./layout.ts";
import { checkAxis, defineOperator, type Operator } from "./operator.ts";

/** Number of values, axis and variant. */
export type TopKAttributes = {
  readonly axis: number;
  readonly k: number;
  /**
   * During training, all samples of the batch use the positions with the largest mean over the batch, so that one
   * choice serves all (Autoformer's training); x is then [batch, n]. In evaluation each sample uses its own.
   */
  readonly shared: boolean;
};

/**
 * The `k` largest values along an axis in descending order, and their positions: x → (values, int32 indices). Equal
 * values are ordered by position. ONNX `TopK` with largest = 1, sorted = 1 and a constant k.
 */
export const topKOperator: Operator<TopKAttributes> = defineOperator<TopKAttributes>({
  name: "TopK",
  arity: 1,
  infer([x], { axis, k, shared }) {
    checkAxis(axis, x!.shape.length);
    const extent = x!.shape[axis]!;
    if (isBatch(extent)) throw new ShapeError("the batch axis cannot be ranked");
    if (!(Number.isInteger(k) && k >= 1 && k <= extent)) {
      throw new ShapeError(`cannot choose ${k} of ${extent} positions`);
    }
    if (shared && (x!.shape.length !== 2 || axis !== 1)) {
      throw new ShapeError("only axis 1 of [batch, n] can share positions");
    }
    const shape = x!.shape.with(axis, k);
    return [
      { dtype: x!.dtype, shape },
      { dtype: "int32", shape },
    ];
  },
  couple(coupling, [x], outputs, { axis }) {
    coupling.fixed(x!.axes[axis]!, "TopK compares positions along it");
    coupling.sameAll(outputs[0]!, outputs[1]!);
    coupling.fixed(outputs[0]!.axes[axis]!, "TopK orders it");
    x!.axes.forEach((expression, i) => {
      if (i !== axis) coupling.same(expression, outputs[0]!.axes[i]!);
    });
  },
  train(b, [x], { axis, k, shared }) {
    if (!shared) return undefined;
    const [, chosen] = topK(b, reduceMean(b, x!, [0], true), axis, k);
    const values = gather(b, x!, reshape(b, chosen, [k]), axis);
    return [values, b.apply(expandOperator, [chosen], { shape: values.shape })];
  },
  gradient(b, { inputs: [x], outputs: [, indices], gradients: [dy], attributes: { axis } }) {
    if (dy === undefined) return [undefined];
    const last = (value: Value) => swapAxes(b, value, axis, -1);
    const none = last(expand(b, b.constant(0), x!.shape));
    const positions = last(indices!);
    const dx = scatterND(b, none, reshape(b, positions, [...positions.shape, 1]), last(dy), {
      batchDims: x!.shape.length - 1,
      reduction: "add",
    });
    return [last(dx)];
  },
  evaluate([x], { axis, k }, [shape]) {
    const [values, indices] = [ndarray(shape!), ndarray(shape!)];
    const { outer, extent, inner } = around(x!.shape, axis);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (position: number) => x!.data[(o * extent + position) * inner + i]!;
        const order = Array.from({ length: extent }, (_, position) => position);
        order.sort((p, q) => at(q) - at(p) || p - q);
        for (let rank = 0; rank < k; rank++) {
          const to = (o * k + rank) * inner + i;
          values.data[to] = at(order[rank]!);
          indices.data[to] = order[rank]!;
        }
      }
    }
    return [values, indices];
  },
});

/** Draws a TopK and returns both its outputs. */
export function topK(b: Builder, x: Value, axis: number, k: number, shared = false): [Value, Value] {
  const attributes = { axis: normalizeAxis(axis, x.shape.length), k, shared };
  const [values, indices] = b.applyAll(topKOperator, [x], attributes);
  return [values!, indices!];
}
