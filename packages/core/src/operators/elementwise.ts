import type { Builder, Value } from "../graph/builder.ts";
import { broadcastShapes } from "../graph/extent.ts";
import type { ValueType } from "../graph/graph.ts";
import { map, zip } from "../reference/array.ts";
import { reduceTo } from "./broadcast.ts";
import { defineOperator, type GradientCall, type Operator, zeroForZero } from "./operator.ts";
import { scale } from "./scale.ts";

/** Of operators that need none. */
export type None = Record<string, never>;

function inferBroadcast([a, b]: readonly ValueType[]): readonly ValueType[] {
  const shape = broadcastShapes(a!.shape, b!.shape);
  if (shape === undefined) throw new RangeError("the shapes do not broadcast");
  return [{ dtype: a!.dtype, shape }];
}

function binary(
  name: string,
  f: (a: number, b: number) => number,
  simplify: (zero: readonly boolean[]) => "zero" | number | undefined,
  gradient: (b: Builder, call: GradientCall<None>, dy: Value) => readonly (() => Value)[],
): Operator<None> {
  return defineOperator<None>({
    name,
    arity: 2,
    simplify,
    infer: inferBroadcast,
    couple(coupling, [left, right], [out]) {
      coupling.broadcast(left!, out!);
      coupling.broadcast(right!, out!);
      // Two values of the input's own making meet here: a residual connection.
      if ((name === "Add" || name === "Sub") && left!.activation && right!.activation) {
        const feature = out!.axes.at(-1);
        const whole = left!.shape.length > 0 && right!.shape.length > 0;
        if (feature !== undefined && whole && left!.shape.at(-1) !== 1 && right!.shape.at(-1) !== 1) {
          coupling.note(feature, "embedding");
        }
      }
    },
    gradient(b, call) {
      const dy = call.gradients[0];
      if (dy === undefined) return [undefined, undefined];
      const parts = gradient(b, call, dy);
      return call.inputs.map((input, i) =>
        call.wants(i) ? reduceTo(b, parts[i]!(), input.shape) : undefined,
      );
    },
    evaluate: ([a, b], _, [shape]) => [zip(a!, b!, shape!, f)],
  });
}

/** Element-wise sum with broadcasting. ONNX `Add`. */
export const addOperator: Operator<None> = binary(
  "Add",
  (a, b) => a + b,
  ([left, right]) => (left && right ? "zero" : left ? 1 : right ? 0 : undefined),
  (_b, _call, dy) => [() => dy, () => dy],
);

/** Element-wise difference with broadcasting. ONNX `Sub`. */
export const subOperator: Operator<None> = binary(
  "Sub",
  (a, b) => a - b,
  ([left, right]) => (left && right ? "zero" : right ? 0 : undefined),
  (b, _call, dy) => [() => dy, () => scale(b, dy, -1)],
);

/** Element-wise product with broadcasting. ONNX `Mul`. */
export const mulOperator: Operator<None> = binary(
  "Mul",
  (a, b) => a * b,
  ([left, right]) => (left || right ? "zero" : undefined),
  (b, { inputs: [x, y] }, dy) => [() => mul(b, dy, y!), () => mul(b, dy, x!)],
);

/** Element-wise quotient with broadcasting. ONNX `Div`. */
export const divOperator: Operator<None> = binary(
  "Div",
  (a, b) => a / b,
  zeroForZero,
  (b, { inputs, outputs }, dy) => [
    () => div(b, dy, inputs[1]!),
    () => scale(b, div(b, mul(b, dy, outputs[0]!), inputs[1]!), -1),
  ],
);

function unary(
  name: string,
  f: (x: number) => number,
  gradient: (b: Builder, x: Value, y: Value, dy: Value) => Value,
): Operator<None> {
  return defineOperator<None>({
    name,
    arity: 1,
    simplify: zeroForZero,
    infer: ([x]) => [x!],
    couple: (coupling, [x], [y]) => coupling.sameAll(x!, y!),
    gradient: (b, { inputs, outputs, gradients }) => [
      gradients[0] && gradient(b, inputs[0]!, outputs[0]!, gradients[0]),
    ],
    evaluate: ([x]) => [map(x!, f)],
  });
}

/** An operator of (x, dy) that gives dx; has no gradient of its own. */
function unaryGradient(name: string, slope: (x: number) => number): Operator<None> {
  return defineOperator<None>({
    name,
    arity: 2,
    infer: ([x]) => [x!],
    couple(coupling, [x, dy], [dx]) {
      coupling.sameAll(x!, dx!);
      coupling.sameAll(dy!, dx!);
    },
    evaluate: ([x, dy]) => [zip(x!, dy!, x!.shape, (value, d) => slope(value) * d)],
  });
}

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
export const reluGradient: Operator<None> = unaryGradient("ReluGradient", (x) => (x > 0 ? 1 : 0));

/** x·Φ(x) with the exact error function. ONNX `Gelu` (opset 20, approximate = none). Hendrycks and Gimpel, 2016. */
export const geluOperator: Operator<None> = unary(
  "Gelu",
  (x) => x * normalCdf(x),
  (b, x, _y, dy) => b.apply(geluGradient, [x, dy], {}),
);
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

export function add(b: Builder, x: Value, y: Value): Value {
  return b.apply(addOperator, [x, y], {});
}
export function sub(b: Builder, x: Value, y: Value): Value {
  return b.apply(subOperator, [x, y], {});
}
export function mul(b: Builder, x: Value, y: Value): Value {
  return b.apply(mulOperator, [x, y], {});
}
export function div(b: Builder, x: Value, y: Value): Value {
  return b.apply(divOperator, [x, y], {});
}
export function sqrt(b: Builder, x: Value): Value {
  return b.apply(sqrtOperator, [x], {});
}
export function relu(b: Builder, x: Value): Value {
  return b.apply(reluOperator, [x], {});
}
export function gelu(b: Builder, x: Value): Value {
  return b.apply(geluOperator, [x], {});
}
