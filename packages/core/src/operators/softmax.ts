import type { Builder, Value } from "../graph/builder.ts";
import { normalizeAxis } from "../graph/extent.ts";
import { around, mapLanes, ndarray } from "../reference/array.ts";
import { defineOperator, type Operator } from "./operator.ts";

/** The axis of an operation; negative ones count from the last. */
export type AxisAttributes = { readonly axis: number };

/** Softmax along one axis. ONNX `Softmax` (opset 13). */
export const softmaxOperator: Operator<AxisAttributes> = defineOperator<AxisAttributes>({
  name: "Softmax",
  arity: 1,
  infer([x], { axis }) {
    normalizeAxis(axis, x!.shape.length);
    return [x!];
  },
  couple(coupling, [x], [y], { axis }) {
    coupling.sameAll(x!, y!);
    coupling.fixed(x!.axes.at(axis)!, "Softmax compares positions along it");
  },
  gradient: (b, { outputs, gradients, attributes }) => [
    gradients[0] && b.apply(softmaxGradient, [outputs[0]!, gradients[0]], attributes),
  ],
  evaluate: ([x], { axis }) => [
    mapLanes(x!, normalizeAxis(axis, x!.shape.length), (lane) => {
      const top = Math.max(...lane);
      const weights = lane.map((value) => Math.exp(value - top));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return weights.map((weight) => weight / total);
    }),
  ],
});

/** dx = y · (dy − Σ y·dy along the axis), from the softmax's output y and dy. */
export const softmaxGradient: Operator<AxisAttributes> = defineOperator<AxisAttributes>({
  name: "SoftmaxGradient",
  arity: 2,
  infer: ([y]) => [y!],
  couple(coupling, [y, dy], [dx], { axis }) {
    coupling.sameAll(y!, dx!);
    coupling.sameAll(dy!, dx!);
    coupling.fixed(y!.axes.at(axis)!, "Softmax compares positions along it");
  },
  evaluate([y, dy], { axis }) {
    const out = ndarray(y!.shape);
    const { outer, extent, inner } = around(y!.shape, normalizeAxis(axis, y!.shape.length));
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const start = o * extent * inner + i;
        let dot = 0;
        for (let e = 0; e < extent; e++) dot += y!.data[start + e * inner]! * dy!.data[start + e * inner]!;
        for (let e = 0; e < extent; e++) {
          const at = start + e * inner;
          out.data[at] = y!.data[at]! * (dy!.data[at]! - dot);
        }
      }
    }
    return [out];
  },
});

/** Draws a softmax along an axis; negative ones count from the last. */
export function softmax(b: Builder, x: Value, axis: number): Value {
  return b.apply(softmaxOperator, [x], { axis });
}
