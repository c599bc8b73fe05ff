import type { Builder, Value } from "../graph/builder.ts";
import { binary, type None, unary, unaryGradient } from "./by-element.ts";
import { type Operator, zeroForZero } from "./operator.ts";
import { scale } from "./scale.ts";

export type { None } from "./by-element.ts";

/** Element-wise sum with broadcasting. ONNX `Add`. */
export const addOperator: Operator<None> = binary({
  name: "Add",
  f: (a, b) => a + b,
  residual: true,
  simplify: ([left, right]) => (left && right ? "zero" : left ? 1 : right ? 0 : undefined),
  gradient: (_b, _call, dy) => [() => dy, () => dy],
});

/** Element-wise difference with broadcasting. ONNX `Sub`. */
export const subOperator: Operator<None> = binary({
  name: "Sub",
  f: (a, b) => a - b,
  residual: true,
  simplify: ([left, right]) => (left && right ? "zero" : right ? 0 : undefined),
  gradient: (b, _call, dy) => [() => dy, () => scale(b, dy, -1)],
});

/** Element-wise product with broadcasting. ONNX `Mul`. */
export const mulOperator: Operator<None> = binary({
  name: "Mul",
  f: (a, b) => a * b,
  simplify: ([left, right]) => (left || right ? "zero" : undefined),
  gradient: (b, { inputs: [x, y] }, dy) => [() => mul(b, dy, y!), () => mul(b, dy, x!)],
});

/** Element-wise quotient with broadcasting. ONNX `Div`. */
export const divOperator: Operator<None> = binary({
  name: "Div",
  f: (a, b) => a / b,
  simplify: zeroForZero,
  gradient: (b, { inputs, outputs }, dy) => [
    () => div(b, dy, inputs[1]!),
    () => scale(b, div(b, mul(b, dy, outputs[0]!), inputs[1]!), -1),
  ],
});

/** Square root. ONNX `Sqrt`. */
export const sqrtOperator: Operator<None> = unary("Sqrt", Math.sqrt, (b, _x, y, dy) =>
  div(b, scale(b, dy, 0.5), y),
);

/** max(x, 0). ONNX `Relu`. */
export const reluOperator: Operator<None> = unary(
  "Relu",
  (x) => Math.max(x, 0),
  (b, x, _y, dy) => b.apply(reluGradient, [x, dy], {}),
);
/** (x, dy) → dy where x > 0, else 0. */
export const reluGradient: Operator<None> = unaryGradient("ReluGradient", (x) => (x > 0 ? 1 : 0));

/** x if it is positive, else eˣ − 1. ONNX `Elu` with alpha 1. Clevert et al., ICLR 2016. */
export const eluOperator: Operator<None> = unary(
  "Elu",
  (x) => (x > 0 ? x : Math.expm1(x)),
  (b, x, _y, dy) => b.apply(eluGradient, [x, dy], {}),
);
/** dy × Elu′(x): (x, dy) → dx. */
export const eluGradient: Operator<None> = unaryGradient("EluGradient", (x) => (x > 0 ? 1 : Math.exp(x)));

/** Hyperbolic tangent. ONNX `Tanh`. */
export const tanhOperator: Operator<None> = unary("Tanh", Math.tanh, (b, _x, y, dy) =>
  sub(b, dy, mul(b, dy, mul(b, y, y))),
);

/** x·Φ(x) with the exact error function. ONNX `Gelu` (opset 20, approximate = none). Hendrycks and Gimpel, 2016. */
export const geluOperator: Operator<None> = unary(
  "Gelu",
  (x) => x * normalCdf(x),
  (b, x, _y, dy) => b.apply(geluGradient, [x, dy], {}),
);
/** (x, dy) → dy · (Φ(x) + x·φ(x)). */
export const geluGradient: Operator<None> = unaryGradient(
  "GeluGradient",
  (x) => normalCdf(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
);

/** Φ(x), the standard normal distribution function, to double precision. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x / Math.SQRT2);
}

/** Complementary error function: Maclaurin series near zero, a continued fraction (Lentz) further out. */
function erfc(x: number): number {
  const z = Math.abs(x);
  if (z < 2.5) {
    let term = z;
    let sum = z;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    const erf = (2 / Math.sqrt(Math.PI)) * sum;
    return x < 0 ? 1 + erf : 1 - erf;
  }
  let fraction = 0;
  for (let k = 60; k >= 1; k--) fraction = k / 2 / (z + fraction);
  const tail = Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction);
  return x < 0 ? 2 - tail : tail;
}

/** Draws x + y, broadcast. */
export function add(b: Builder, x: Value, y: Value): Value {
  return b.apply(addOperator, [x, y], {});
}
/** Draws x − y, broadcast. */
export function sub(b: Builder, x: Value, y: Value): Value {
  return b.apply(subOperator, [x, y], {});
}
/** Draws x · y element by element, broadcast. */
export function mul(b: Builder, x: Value, y: Value): Value {
  return b.apply(mulOperator, [x, y], {});
}
/** Draws x ÷ y element by element, broadcast. */
export function div(b: Builder, x: Value, y: Value): Value {
  return b.apply(divOperator, [x, y], {});
}
/** Draws √x. */
export function sqrt(b: Builder, x: Value): Value {
  return b.apply(sqrtOperator, [x], {});
}
/** Draws max(x, 0). */
export function relu(b: Builder, x: Value): Value {
  return b.apply(reluOperator, [x], {});
}
/** Draws x where it is positive and eˣ − 1 elsewhere. */
export function elu(b: Builder, x: Value): Value {
  return b.apply(eluOperator, [x], {});
}
/** Draws the hyperbolic tangent. */
export function tanh(b: Builder, x: Value): Value {
  return b.apply(tanhOperator, [x], {});
}
/** Draws x·Φ(x). */
export function gelu(b: Builder, x: Value): Value {
  return b.apply(geluOperator, [x], {});
}
