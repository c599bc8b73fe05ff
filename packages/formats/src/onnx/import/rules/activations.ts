import {
  add,
  type Builder,
  clip,
  cos,
  div,
  elu,
  erf,
  exp,
  gelu,
  greater,
  log,
  mul,
  relu,
  scale,
  sigmoid,
  sin,
  sqrt,
  sub,
  tanh,
  type Value,
  where,
} from "@espalier/core/graph";
import { foldUnary } from "../arithmetic.ts";
import { type Call, input, isPlain, lift, numberLike, type Rule, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";

/** Element-wise functions of one value. Those without an operator in core are composed of others. */

/**
 * An operator of one value, given what it draws for floating-point numbers and for integers; for constants it is
 * computed.
 */
function unary(draw: (call: Call, x: Value) => Value, whole?: typeof draw): Rule {
  return (call) => {
    const item = input(call, 0);
    const folded = isPlain(call, item) ? foldUnary(call.operator, item) : undefined;
    if (folded !== undefined) return folded;
    const x = lift(call, item);
    if (x.dtype === "int32" && whole !== undefined) return whole(call, x);
    if (x.dtype !== "float32") throw new UnreadableError("it takes floating-point numbers only");
    return draw(call, x);
  };
}

const negative = (b: Builder, x: Value) => scale(b, x, -1);
/** min(x, 0). */
const below = (b: Builder, x: Value) => negative(b, relu(b, negative(b, x)));
export const absolute = (b: Builder, x: Value): Value => add(b, relu(b, x), relu(b, negative(b, x)));
/** −x of integers. */
const negated = (call: Call, x: Value) => sub(call.b, numberLike(call, x, 0), x);
const one = ({ context }: Call) => context.weights.number(1);

/** ln(1 + eˣ), without overflow. */
function softplus(call: Call, x: Value): Value {
  const { b } = call;
  const tail = exp(b, negative(b, absolute(b, x)));
  return add(b, relu(b, x), log(b, add(b, tail, one(call))));
}

/** x if it is positive, else α·(e^(x ÷ β) − 1). */
function exponential(call: Call, x: Value, alpha: number, beta = 1): Value {
  const { b } = call;
  const inner = beta === 1 ? below(b, x) : scale(b, below(b, x), 1 / beta);
  return add(b, relu(b, x), scale(b, sub(b, exp(b, inner), one(call)), alpha));
}

/** x·½·(1 + tanh(√(2 ÷ π)·(x + 0.044715·x³))), or with the exact error function. */
function geluOf(call: Call, x: Value): Value {
  const { b, attributes } = call;
  const approximate = attributes.text("approximate", "none");
  if (approximate === "none") return gelu(b, x);
  if (approximate !== "tanh") throw new UnreadableError(`unknown approximation: ${approximate.slice(0, 20)}`);
  const cubic = add(b, x, scale(b, mul(b, mul(b, x, x), x), 0.044715));
  const inner = tanh(b, scale(b, cubic, Math.sqrt(2 / Math.PI)));
  return mul(b, scale(b, x, 0.5), add(b, inner, one(call)));
}

/** x shifted and cut to 0 … 1. */
function ramp(call: Call, x: Value, slope: number, offset: number): Value {
  return clip(call.b, add(call.b, scale(call.b, x, slope), call.context.weights.number(offset)), {
    min: 0,
    max: 1,
  });
}

const prelu: Rule = (call) => {
  const { b } = call;
  const x = valueInput(call, 0);
  const slope = valueInput(call, 1, { as: "weight" });
  return sub(b, relu(b, x), mul(b, slope, relu(b, negative(b, x))));
};

export const activations: Readonly<Record<string, Rule>> = {
  Neg: unary(({ b }, x) => negative(b, x), negated),
  Abs: unary(
    ({ b }, x) => absolute(b, x),
    (call, x) => {
      const turned = negated(call, x);
      return where(call.b, greater(call.b, turned, x), turned, x);
    },
  ),
  Reciprocal: unary((call, x) => div(call.b, one(call), x)),
  Sqrt: unary(({ b }, x) => sqrt(b, x)),
  Exp: unary(({ b }, x) => exp(b, x)),
  Log: unary(({ b }, x) => log(b, x)),
  Sin: unary(({ b }, x) => sin(b, x)),
  Cos: unary(({ b }, x) => cos(b, x)),
  Tan: unary(({ b }, x) => div(b, sin(b, x), cos(b, x))),
  Tanh: unary(({ b }, x) => tanh(b, x)),
  Sigmoid: unary(({ b }, x) => sigmoid(b, x)),
  Erf: unary(({ b }, x) => erf(b, x)),
  Relu: unary(({ b }, x) => relu(b, x)),
  PRelu: prelu,
  Gelu: unary(geluOf),
  Softplus: unary(softplus),
  Softsign: unary((call, x) => div(call.b, x, add(call.b, absolute(call.b, x), one(call)))),
  Elu: unary((call, x) => {
    const alpha = call.attributes.float("alpha", 1);
    return alpha === 1 ? elu(call.b, x) : exponential(call, x, alpha);
  }),
  Celu: unary((call, x) => {
    const alpha = call.attributes.float("alpha", 1);
    return exponential(call, x, alpha, alpha);
  }),
  Selu: unary((call, x) => {
    const [alpha, gamma] = [
      call.attributes.float("alpha", 1.6732632),
      call.attributes.float("gamma", 1.050701),
    ];
    return scale(call.b, exponential(call, x, alpha), gamma);
  }),
  LeakyRelu: unary(({ b, attributes }, x) =>
    sub(b, relu(b, x), scale(b, relu(b, negative(b, x)), attributes.float("alpha", 0.01))),
  ),
  ThresholdedRelu: unary((call, x) => {
    const { b, attributes, context } = call;
    const above = greater(b, x, context.weights.number(attributes.float("alpha", 1)));
    // Not a product: zero times infinity is not zero.
    return where(b, above, x, context.weights.number(0));
  }),
  /** x moved towards zero by the bias if it is further from it than λ, else 0. */
  Shrink: unary((call, x) => {
    const { b, attributes, context } = call;
    const [lambda, bias] = [attributes.float("lambd", 0.5), attributes.float("bias", 0)];
    const [high, low] = [
      greater(b, x, context.weights.number(lambda)),
      greater(b, context.weights.number(-lambda), x),
    ];
    const outside = mul(b, x, add(b, high, low));
    return bias === 0 ? outside : add(b, outside, scale(b, sub(b, low, high), bias));
  }),
  HardSigmoid: unary((call, x) =>
    ramp(call, x, call.attributes.float("alpha", 0.2), call.attributes.float("beta", 0.5)),
  ),
  Swish: unary((call, x) =>
    mul(call.b, x, sigmoid(call.b, scale(call.b, x, call.attributes.float("alpha", 1)))),
  ),
  HardSwish: unary((call, x) => mul(call.b, x, ramp(call, x, 1 / 6, 0.5))),
  Mish: unary((call, x) => mul(call.b, x, tanh(call.b, softplus(call, x)))),
};
