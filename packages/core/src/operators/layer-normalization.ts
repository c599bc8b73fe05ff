import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { sameExtent } from "../graph/extent.ts";
import { ndarray } from "../reference/array.ts";
import { checkNumbers, defineOperator, type Operator } from "./operator.ts";

/** The number added to a variance before taking its root. */
export type EpsilonAttributes = { readonly epsilon: number };

/**
 * (x − mean) / √(variance + ε) · scale + bias along the last axis. Inputs x […, D], scale [D], bias [D].
 * ONNX `LayerNormalization` with axis −1. Ba, Kiros and Hinton, 2016.
 */
export const layerNormalizationOperator: Operator<EpsilonAttributes> = defineOperator<EpsilonAttributes>({
  name: "LayerNormalization",
  arity: 3,
  simplify: ([, scale, bias]) => (scale && bias ? "zero" : undefined),
  infer([x, scale, bias], { epsilon }) {
    checkNumbers({ epsilon });
    for (const vector of [scale!, bias!]) {
      if (vector.shape.length !== 1 || !sameExtent(vector.shape[0]!, x!.shape.at(-1) ?? 0)) {
        throw new ShapeError("scale and bias must be as long as the last axis");
      }
    }
    return [x!];
  },
  couple(coupling, [x, scale, bias], [y]) {
    coupling.sameAll(x!, y!);
    coupling.same(x!.axes.at(-1)!, scale!.axes[0]!);
    coupling.same(x!.axes.at(-1)!, bias!.axes[0]!);
    coupling.note(x!.axes.at(-1)!, "embedding");
  },
  gradient(b, { inputs: [x, scale], gradients, attributes }) {
    if (gradients[0] === undefined) return [undefined, undefined, undefined];
    return b.applyAll(layerNormalizationGradient, [x!, scale!, gradients[0]], attributes);
  },
  evaluate([x, scale, bias], { epsilon }) {
    const out = ndarray(x!.shape);
    const width = x!.shape.at(-1)!;
    for (let start = 0; start < x!.data.length; start += width) {
      const { mean, deviation } = moments(x!.data, start, width, epsilon);
      for (let i = 0; i < width; i++) {
        out.data[start + i] = ((x!.data[start + i]! - mean) / deviation) * scale!.data[i]! + bias!.data[i]!;
      }
    }
    return [out];
  },
});

/** Gradients of LayerNormalization: (x, scale, dy) → (dx, dscale, dbias). */
export const layerNormalizationGradient: Operator<EpsilonAttributes> = defineOperator<EpsilonAttributes>({
  name: "LayerNormalizationGradient",
  arity: 3,
  infer: ([x, scale]) => [x!, scale!, scale!],
  couple(coupling, [x, scale, dy], [dx, dscale, dbias]) {
    coupling.sameAll(x!, dx!);
    coupling.sameAll(dy!, dx!);
    for (const vector of [scale!, dscale!, dbias!]) coupling.same(x!.axes.at(-1)!, vector.axes[0]!);
  },
  evaluate([x, scale, dy], { epsilon }) {
    const width = x!.shape.at(-1)!;
    const dx = ndarray(x!.shape);
    const dscale = ndarray([width]);
    const dbias = ndarray([width]);
    for (let start = 0; start < x!.data.length; start += width) {
      const { mean, deviation } = moments(x!.data, start, width, epsilon);
      let sum = 0;
      let dot = 0;
      for (let i = 0; i < width; i++) {
        const normalized = (x!.data[start + i]! - mean) / deviation;
        const d = dy!.data[start + i]!;
        dscale.data[i]! += d * normalized;
        dbias.data[i]! += d;
        sum += d * scale!.data[i]!;
        dot += d * scale!.data[i]! * normalized;
      }
      for (let i = 0; i < width; i++) {
        const normalized = (x!.data[start + i]! - mean) / deviation;
        const d = dy!.data[start + i]! * scale!.data[i]!;
        dx.data[start + i] = (d - sum / width - (normalized * dot) / width) / deviation;
      }
    }
    return [dx, dscale, dbias];
  },
});

function moments(data: Float64Array, start: number, width: number, epsilon: number) {
  let mean = 0;
  for (let i = 0; i < width; i++) mean += data[start + i]! / width;
  let variance = 0;
  for (let i = 0; i < width; i++) variance += (data[start + i]! - mean) ** 2 / width;
  return { mean, deviation: Math.sqrt(variance + epsilon) };
}

/** Draws LayerNormalization of x […, D] with scale and bias [D]. */
export function layerNormalization(b: Builder, x: Value, scale: Value, bias: Value, epsilon = 1e-5): Value {
  return b.apply(layerNormalizationOperator, [x, scale, bias], { epsilon });
}
