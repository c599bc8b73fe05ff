import {
  add,
  type Builder,
  cast,
  div,
  expand,
  isCallOf,
  matMulOperator,
  mul,
  pow,
  scale,
  sqrt,
  sub,
  type Value,
} from "@espalier/core/graph";
import { foldBinary, foldUnary } from "../arithmetic.ts";
import { type Call, input, isPlain, lift, numberBeside, numberLike, type Rule, spread } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { type Item, isKnown, isValue } from "../items.ts";
import { scalar } from "../known.ts";
import { recogniseGelu } from "../patterns/gelu.ts";
import { recogniseLayerNormalization } from "../patterns/layer-normalization.ts";
import { recogniseSoftmax } from "../patterns/softmax.ts";

/** Sums, products and powers: computed for constants, drawn for values. */

type Draw = (b: Builder, x: Value, y: Value) => Value;
/** Draws an operator with a scalar constant on one side; undefined if that needs no special form. */
type DrawWithNumber = (call: Call, x: Value, number: number, numberFirst: boolean) => Value | undefined;

function binary(draw: Draw, withNumber: DrawWithNumber): (call: Call) => Item {
  return (call) => {
    const [left, right] = [input(call, 0), input(call, 1)];
    if (isPlain(call, left) && isPlain(call, right)) return foldBinary(call.operator, left, right);
    const [value, number] = isValue(left) ? [left, right] : [right, left];
    if (isValue(value)) {
      const factor = numberBeside(call, number, value);
      const drawn = factor === undefined ? undefined : withNumber(call, value, factor, number === left);
      if (drawn !== undefined) return drawn;
    }
    const [x, y] = [operand(call, 0), operand(call, 1)];
    return draw(call.b, spread(call, x, y.shape), spread(call, y, x.shape));
  };
}

/** A vector that is added to a product is its bias. */
function operand(call: Call, i: number): Value {
  const [own, other] = [input(call, i), input(call, 1 - i)];
  const isBias =
    call.operator === "Add" &&
    isKnown(own) &&
    own.shape.length === 1 &&
    isValue(other) &&
    isCallOf(call.b.producer(other), matMulOperator);
  return lift(call, own, isBias ? { as: "bias" } : { as: "operand" });
}

const isWhole = ({ dtype }: Value) => dtype === "int32";

const sum = binary(add, (call, x, number) =>
  number === 0 ? x : add(call.b, x, numberLike(call, x, number)),
);

const difference = binary(sub, (call, x, number, first) => {
  if (!first) return number === 0 ? x : sub(call.b, x, numberLike(call, x, number));
  return number === 0 && !isWhole(x) ? scale(call.b, x, -1) : sub(call.b, numberLike(call, x, number), x);
});

const product = binary(mul, (call, x, number) => {
  if (number === 1) return x;
  return isWhole(x) ? mul(call.b, x, numberLike(call, x, number)) : scale(call.b, x, number);
});

const quotient = binary(div, (call, x, number, first) => {
  if (first) return div(call.b, numberLike(call, x, number), x);
  if (number === 0 || isWhole(x)) return number === 1 ? x : undefined;
  return number === 1 ? x : scale(call.b, x, 1 / number);
});

/** A product with n ÷ batch: the factor of a mean over the batch. */
function overBatch(call: Call): Value | undefined {
  const [left, right] = [input(call, 0), input(call, 1)];
  const [value, factor] = isValue(left) ? [left, right] : [right, left];
  if (!isValue(value) || isWhole(value) || !isPlain(call, factor) || factor.powers?.[0] !== -1)
    return undefined;
  if (factor.data.length !== 1 || factor.shape.length > value.shape.length) return undefined;
  const count = 1 / factor.data[0]!;
  const whole = Math.abs(count - Math.round(count)) < 1e-6 * count && count >= 1;
  return whole
    ? scale(call.b, value, 1, { batch: Math.round(count) })
    : scale(call.b, value, factor.data[0]!, { batch: 1 });
}

const sums: Rule = (call) => {
  const drawn = sum(call);
  if (!isValue(drawn)) return drawn;
  return recogniseLayerNormalization(call.b, drawn, call.context.weights) ?? drawn;
};

const products: Rule = (call) => {
  const mean = overBatch(call);
  if (mean !== undefined) return mean;
  const drawn = product(call);
  return isValue(drawn) ? (recogniseGelu(call.b, drawn, call.context.weights) ?? drawn) : drawn;
};

const quotients: Rule = (call) => {
  const [x, y] = [input(call, 0), input(call, 1)];
  // A weight over its norms: as factors, they are removed and masked with it.
  if (isKnown(x) && !isPlain(call, x) && isPlain(call, y) && y.data.length > 1)
    return products({ ...call, inputs: [x, foldUnary("Reciprocal", y)] });
  const drawn = quotient(call);
  return isValue(drawn) ? (recogniseSoftmax(call.b, drawn) ?? drawn) : drawn;
};

const powers: Rule = (call) => {
  const [base, exponent] = [input(call, 0), input(call, 1)];
  if (isPlain(call, base) && isPlain(call, exponent)) return foldBinary("Pow", base, exponent);
  const { b, context } = call;
  const x = lift(call, base);
  const number = numberBeside(call, exponent, x);
  const inverse = (y: Value) => div(b, context.weights.number(1), y);
  if (number === 1) return x;
  if (number === 2) return mul(b, x, x);
  if (number === 3) return mul(b, mul(b, x, x), x);
  if (isWhole(x)) return wholePower(call, x, number);
  if (number === 0.5) return sqrt(b, x);
  if (number === -0.5) return inverse(sqrt(b, x));
  if (number === -1) return inverse(x);
  if (number !== undefined) return pow(b, x, context.weights.number(number));
  return pow(b, x, cast(b, lift(call, exponent), "float32"));
};

/** A power of an integer, of squares: a floating-point number does not hold it exactly. */
function wholePower(call: Call, x: Value, exponent: number | undefined): Value {
  const { b } = call;
  if (exponent === undefined || !(Number.isInteger(exponent) && exponent >= 0 && exponent < 64))
    throw new UnreadableError("for integers, only whole exponents from 0 to 63 are supported");
  if (exponent === 0) return expand(b, numberLike(call, x, 1), x.shape);
  if (exponent === 1) return x;
  const half = wholePower(call, x, exponent >> 1);
  const square = mul(b, half, half);
  return exponent % 2 === 0 ? square : mul(b, square, x);
}

/** The sum (or mean) of any number of values. */
function total(mean: boolean): Rule {
  return (call) => {
    const items = call.inputs.map((_, i) => input(call, i));
    if (items.length === 0) throw new UnreadableError("it has no inputs");
    const count = items.length;
    if (items.every((item) => isPlain(call, item))) {
      const whole = items.reduce((a, c) => foldBinary("Add", a, c));
      return mean ? foldBinary("Div", whole, scalar(whole.kind, count)) : whole;
    }
    const whole = items.map((item) => lift(call, item)).reduce((x, y) => add(call.b, x, y));
    return mean && count > 1 ? scale(call.b, whole, 1, count) : whole;
  };
}

export const arithmetic: Readonly<Record<string, Rule>> = {
  Add: sums,
  Sub: difference,
  Mul: products,
  Div: quotients,
  Pow: powers,
  Sum: total(false),
  Mean: total(true),
};
