import type { Builder, Value } from "../graph/builder.ts";
import { map, zip } from "../reference/array.ts";
import { binary, type None, unary } from "./by-element.ts";
import { div, mul, normalCdf, sub } from "./elementwise.ts";
import { defineOperator, type Operator } from "./operator.ts";
import { scale } from "./scale.ts";

/** eˣ. ONNX `Exp`. */
export const expOperator: Operator<None> = unary("Exp", Math.exp, (b, _x, y, dy) => mul(b, dy, y));

/** Natural logarithm. ONNX `Log`. */
export const logOperator: Operator<None> = unary("Log", Math.log, (b, x, _y, dy) => div(b, dy, x));

/** 1 ÷ (1 + e⁻ˣ). ONNX `Sigmoid`. */
export const sigmoidOperator: Operator<None> = unary(
  "Sigmoid",
  (x) => 1 / (1 + Math.exp(-x)),
  (b, _x, y, dy) => mul(b, dy, sub(b, y, mul(b, y, y))),
);

/** The error function. ONNX `Erf`. */
export const erfOperator: Operator<None> = unary(
  "Erf",
  (x) => 2 * normalCdf(x * Math.SQRT2) - 1,
  (b, x, _y, dy) => mul(b, dy, scale(b, exp(b, scale(b, mul(b, x, x), -1)), 2 / Math.sqrt(Math.PI))),
);

/** Sine, of radians. ONNX `Sin`. */
export const sinOperator: Operator<None> = unary("Sin", Math.sin, (b, x, _y, dy) => mul(b, dy, cos(b, x)));

/** Cosine, of radians. ONNX `Cos`. */
export const cosOperator: Operator<None> = unary("Cos", Math.cos, (b, x, _y, dy) =>
  scale(b, mul(b, dy, sin(b, x)), -1),
);

/** x to the power of y, with broadcasting. ONNX `Pow`. */
export const powOperator: Operator<None> = binary({
  name: "Pow",
  f: (x, y) => x ** y,
  simplify: () => undefined,
  gradient: (b, { inputs: [x, y], outputs: [z] }, dy) => [
    () => mul(b, dy, mul(b, y!, pow(b, x!, sub(b, y!, b.constant(1))))),
    () => mul(b, dy, mul(b, z!, log(b, x!))),
  ],
});

/** Either bound may be absent. */
export type ClipAttributes = { readonly min?: number; readonly max?: number };

function clipped(
  x: number,
  { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: ClipAttributes,
) {
  return Math.min(Math.max(x, min), max);
}

/** x limited to the range from `min` to `max`. ONNX `Clip` with constant bounds. */
export const clipOperator: Operator<ClipAttributes> = defineOperator<ClipAttributes>({
  name: "Clip",
  arity: 1,
  broadcasts: true,
  infer: ([x]) => [x!],
  couple: (coupling, [x], [y]) => coupling.sameAll(x!, y!),
  simplify: ([zero], attributes) => (zero && clipped(0, attributes) === 0 ? "zero" : undefined),
  gradient: (b, { inputs: [x], gradients: [dy], attributes }) => [
    dy && b.apply(clipGradient, [x!, dy], attributes),
  ],
  evaluate: ([x], attributes) => [map(x!, (value) => clipped(value, attributes))],
});

/** dy where x is within the bounds (or on one), zero elsewhere: (x, dy) → dx, like PyTorch's `clamp`. */
export const clipGradient: Operator<ClipAttributes> = defineOperator<ClipAttributes>({
  name: "ClipGradient",
  arity: 2,
  infer: ([x]) => [x!],
  couple(coupling, [x, dy], [dx]) {
    coupling.sameAll(x!, dx!);
    coupling.sameAll(dy!, dx!);
  },
  evaluate: ([x, dy], attributes) => [
    zip(x!, dy!, x!.shape, (value, d) => (clipped(value, attributes) === value ? d : 0)),
  ],
});

/** eˣ. */
export function exp(b: Builder, x: Value): Value {
  return b.apply(expOperator, [x], {});
}
/** Natural logarithm. */
export function log(b: Builder, x: Value): Value {
  return b.apply(logOperator, [x], {});
}
/** 1 ÷ (1 + e⁻ˣ). */
export function sigmoid(b: Builder, x: Value): Value {
  return b.apply(sigmoidOperator, [x], {});
}
/** The error function. */
export function erf(b: Builder, x: Value): Value {
  return b.apply(erfOperator, [x], {});
}
/** Sine, of radians. */
export function sin(b: Builder, x: Value): Value {
  return b.apply(sinOperator, [x], {});
}
/** Cosine, of radians. */
export function cos(b: Builder, x: Value): Value {
  return b.apply(cosOperator, [x], {});
}
/** x to the power of y, with broadcasting. */
export function pow(b: Builder, x: Value, y: Value): Value {
  return b.apply(powOperator, [x, y], {});
}
/** Draws x limited to the range from `min` to `max`. */
export function clip(b: Builder, x: Value, bounds: ClipAttributes): Value {
  return b.apply(clipOperator, [x], bounds);
}
