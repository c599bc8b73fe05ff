import {
  add,
  type Builder,
  broadcastShapes,
  cast,
  clip,
  div,
  equal,
  expand,
  floor,
  greater,
  mul,
  relu,
  round,
  type Shape,
  scale,
  sub,
  type Value,
  where,
} from "@espalier/core/graph";
import { TensorProto_DataType as Type } from "onnx-buf";
import {
  castKnown,
  castToHalf,
  castToWidth,
  foldBinary,
  foldUnary,
  foldWhere,
  type Width,
  widthOf,
} from "../arithmetic.ts";
import {
  type Call,
  input,
  isPlain,
  knownNumber,
  lift,
  numberBeside,
  numberLike,
  operandItem,
  type Rule,
  shapeOf,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { type Item, isKnown, isTruth, isValue } from "../items.ts";
import { build, type Kind, type Known, scalar } from "../known.ts";
import { withoutGuard } from "../patterns/guards.ts";
import { repeated } from "../repeated.ts";
import { typeName } from "../tensor-data.ts";
import { knownKind, triangle } from "./constants.ts";

/** Bounds, comparisons and choices. Comparisons of computed values give ones and zeros. */

const clipped: Rule = (call) => {
  const item = input(call, 0);
  const [least, largest] = [knownNumber(call, 1, "lower bound"), knownNumber(call, 2, "upper bound")];
  if (isPlain(call, item)) {
    const raised = least === undefined ? item : foldBinary("Max", item, scalar(item.kind, least));
    return largest === undefined ? raised : foldBinary("Min", raised, scalar(item.kind, largest));
  }
  // The largest float32 numbers mean no bound.
  const min = least !== undefined && least > -3.4e38 ? least : undefined;
  const max = largest !== undefined && largest < 3.4e38 ? largest : undefined;
  const x = lift(call, item);
  if (min === undefined && max === undefined) return x;
  if (x.dtype === "int32") {
    const raised = min === undefined ? x : largerOf(call, x, numberLike(call, x, min));
    return max === undefined ? raised : smallerOf(call, raised, numberLike(call, x, max));
  }
  if (min === 0 && max === undefined) return relu(call.b, x);
  return clip(call.b, x, { ...(min !== undefined && { min }), ...(max !== undefined && { max }) });
};

/** y where it is chosen, x elsewhere, and NaN where one of them is. */
function pick({ b, context }: Call, isChosen: Value, x: Value, y: Value): Value {
  const picked = where(b, isChosen, y, x);
  // Nothing is chosen beside NaN, so that x stays; NaN is the only number that differs from itself.
  return y.dtype === "int32" || context.weights.isNumber(y) ? picked : where(b, equal(b, y, y), picked, y);
}

/** The larger of two numbers, of any type. */
export const largerOf = (call: Call, x: Value, y: Value) => pick(call, greater(call.b, y, x), x, y);
export const smallerOf = (call: Call, x: Value, y: Value) => pick(call, greater(call.b, x, y), x, y);

/**
 * The larger (or smaller) of any number of values, chosen: a sum with their difference would round the small ones away
 * beside a mask of −1e9. A scalar constant is a bound.
 */
function extreme(largest: boolean): Rule {
  const ofTwo = (call: Call, left: Item, right: Item): Item => {
    if (isPlain(call, left) && isPlain(call, right)) return foldBinary(call.operator, left, right);
    const { b } = call;
    const [value, bound] = isValue(left) ? [left, right] : [right, left];
    const number = isValue(value) && value.dtype === "float32" ? numberBeside(call, bound, value) : undefined;
    if (number !== undefined && !Number.isNaN(number)) {
      if (largest && number === 0) return relu(b, value as Value);
      return clip(b, value as Value, largest ? { min: number } : { max: number });
    }
    return (largest ? largerOf : smallerOf)(call, lift(call, value), lift(call, bound));
  };
  return (call) => {
    if (call.inputs.length === 0) throw new UnreadableError("it has no inputs");
    return call.inputs.map((_, i) => input(call, i)).reduce((left, right) => ofTwo(call, left, right));
  };
}

const one = ({ context }: Call) => context.weights.number(1);
const not = (call: Call, x: Value) => sub(call.b, one(call), x);
const both = (b: Builder, x: Value, y: Value) => mul(b, x, y);
const either = (call: Call, x: Value, y: Value) => not(call, both(call.b, not(call, x), not(call, y)));

/** x ≥ y. It does not follow from not x < y: both are false beside NaN. */
function atLeast(call: Call, x: Value, y: Value): Value {
  const { b } = call;
  return x.dtype === "int32" ? not(call, greater(b, y, x)) : add(b, greater(b, x, y), equal(b, x, y));
}

/** An operand of a comparison as a value: truth values as ones and zeros. */
function asked(call: Call, i: number): Value {
  const item = operandItem(call, i);
  if (isTruth(item)) return item.truth;
  return lift(call, item, isKnown(item) && item.kind === "bool" ? named(call) : undefined);
}

/** The result of an operator for constants. */
function answer({ operator }: Call, [first, second]: readonly Known[]): Known {
  if (first === undefined) throw new UnreadableError("its input 0 is missing");
  const folded = second === undefined ? foldUnary(operator, first) : foldBinary(operator, first, second);
  if (folded === undefined) throw new UnreadableError("its second input is missing");
  return folded;
}

/** A comparison: computed for constants, drawn for values. */
function question(draw: (call: Call) => Value): Rule {
  return (call) => {
    const items = call.inputs.map((_, i) => operandItem(call, i));
    if (!items.every(isKnown)) return { truth: draw(call) };
    return answer(call, items);
  };
}

const questions: Readonly<Record<string, Rule>> = {
  Greater: question((call) => greater(call.b, asked(call, 0), asked(call, 1))),
  Less: question((call) => greater(call.b, asked(call, 1), asked(call, 0))),
  GreaterOrEqual: question((call) => atLeast(call, asked(call, 0), asked(call, 1))),
  LessOrEqual: question((call) => atLeast(call, asked(call, 1), asked(call, 0))),
  Equal: question((call) => equal(call.b, asked(call, 0), asked(call, 1))),
  Not: question((call) => not(call, asked(call, 0))),
  And: question((call) => both(call.b, asked(call, 0), asked(call, 1))),
  Or: question((call) => either(call, asked(call, 0), asked(call, 1))),
  Xor: question((call) => not(call, equal(call.b, asked(call, 0), asked(call, 1)))),
  /** Only NaN differs from itself. */
  IsNaN: question((call) => not(call, equal(call.b, asked(call, 0), asked(call, 0)))),
};

/** Step functions: they have no slope. */
function stepped(draw: (call: Call, x: Value) => Value): Rule {
  return (call) => {
    const item = input(call, 0);
    if (isPlain(call, item)) return foldUnary(call.operator, item)!;
    const x = lift(call, item);
    return x.dtype === "int32" ? x : draw(call, x);
  };
}

const infinite: Rule = (call) => {
  const [negative, positive] = ["detect_negative", "detect_positive"].map(
    (name) => call.attributes.int(name, 1) !== 0,
  ) as [boolean, boolean];
  const item = input(call, 0);
  if (isPlain(call, item)) {
    const found = (x: number) => (x < 0 ? negative : positive) && Math.abs(x) === Number.POSITIVE_INFINITY;
    return build("bool", item.shape, (i) => [found(item.data[i]!) ? 1 : 0, 0]);
  }
  const x = lift(call, item);
  if (!negative && !positive)
    return repeated(
      build("bool", [], () => [0, 0]),
      x.shape,
    );
  return { truth: infinity(call, x, { negative, positive }) };
};

/** Ones where a value is infinite, or has that sign and is. */
function infinity(
  { b, context }: Call,
  x: Value,
  { negative = true, positive = true }: { readonly negative?: boolean; readonly positive?: boolean } = {},
): Value {
  const is = (number: number) => equal(b, x, context.weights.number(number));
  const questions = [
    ...(positive ? [is(Number.POSITIVE_INFINITY)] : []),
    ...(negative ? [is(Number.NEGATIVE_INFINITY)] : []),
  ];
  return questions.reduce((either, question) => add(b, either, question));
}

const isAllFinite = (item: Item) => isKnown(item) && item.data.every(Number.isFinite);

/** The remainder of a division: with the divisor's sign, or with `fmod` the dividend's. */
const modulo: Rule = (call) => {
  const fmod = call.attributes.int("fmod", 0) !== 0;
  const [left, right] = [input(call, 0), input(call, 1)];
  if (isPlain(call, left) && isPlain(call, right)) return foldBinary(fmod ? "Remainder" : "Mod", left, right);
  const { b } = call;
  const [x, y] = [lift(call, left), lift(call, right)];
  const zero = numberLike(call, x, 0);
  const quotient = div(b, x, y);
  const isWhole = x.dtype === "int32";
  const whole = isWhole
    ? quotient
    : where(
        b,
        greater(b, zero, quotient),
        sub(b, zero, floor(b, sub(b, zero, quotient))),
        floor(b, quotient),
      );
  const exact = sub(b, x, mul(b, whole, y));
  // Zero times infinity is not a number: what an infinite divisor leaves is the dividend.
  const rest = isWhole || isAllFinite(right) ? exact : where(b, infinity(call, y), x, exact);
  if (fmod) return rest;
  const differ = greater(b, zero, mul(b, rest, y));
  return where(b, differ, add(b, rest, y), rest);
};

const sign: Rule = (call) => {
  const x = input(call, 0);
  if (isPlain(call, x)) return foldUnary("Sign", x)!;
  const { b } = call;
  const value = lift(call, x);
  const zero = numberLike(call, value, 0);
  return cast(b, sub(b, greater(b, value, zero), greater(b, zero, value)), value.dtype);
};

const choice: Rule = (call) => {
  const condition = operandItem(call, 0);
  const [yes, no] = [input(call, 1), input(call, 2)];
  if (isTruth(condition)) {
    const [x, y] = [lift(call, yes), lift(call, no)];
    const unguarded = withoutGuard(call.b, condition.truth, x, y, call.context.weights);
    return unguarded ?? where(call.b, condition.truth, x, y);
  }
  if (!isKnown(condition)) throw new UnreadableError("its condition is not a truth value");
  if (isPlain(call, yes) && isPlain(call, no)) return foldWhere(condition, yes, no);
  if (condition.data.every((bit) => bit !== 0)) return inShapeOf(call, lift(call, yes), condition, no);
  if (condition.data.every((bit) => bit === 0)) return inShapeOf(call, lift(call, no), condition, yes);
  return (
    masked(call, condition, yes, no) ??
    masked(call, foldUnary("Not", condition)!, no, yes) ??
    chosen(call, condition, yes, no)
  );
};

/** Minus infinity stays minus infinity whatever is added: the mask of an attention is a sum. */
function masked(call: Call, condition: Known, kept: Item, other: Item): Value | undefined {
  const drowned = isPlain(call, other) && other.data.every((value) => value === Number.NEGATIVE_INFINITY);
  if (!drowned) return undefined;
  return add(
    call.b,
    lift(call, kept),
    lift(call, foldWhere(condition, scalar("float", 0), other), named(call)),
  );
}

function chosen(call: Call, condition: Known, yes: Item, no: Item): Value {
  const mask = lift(call, castKnown(condition, "float"), named(call));
  return where(call.b, mask, lift(call, yes), lift(call, no));
}

function named({ module }: Call) {
  return { as: "operand" as const, name: [module, "mask"].filter(Boolean).join(".") };
}

/** The value that is always chosen, in the shape of the choice. */
function inShapeOf(call: Call, x: Value, ...others: readonly Item[]): Value {
  const shape = others.reduce<Shape | undefined>(
    (whole, item) => whole && broadcastShapes(whole, shapeOf(item)),
    x.shape,
  );
  if (shape === undefined) throw new UnreadableError("the shapes do not broadcast");
  return expand(call.b, x, shape);
}

/** Zeros above or below a diagonal. */
const triangular: Rule = (call) => {
  const x = input(call, 0);
  const kept = triangle(call, { shape: shapeOf(x) });
  if (isPlain(call, x)) return foldWhere(kept, x, scalar(x.kind, 0));
  const value = lift(call, x);
  // Not a product: zero times infinity is not zero.
  return where(call.b, lift(call, kept, named(call)), value, numberLike(call, value, 0));
};

/** A weight stored in another precision is still that weight. */
const castRule: Rule = (call) => {
  const item = operandItem(call, 0);
  const to = call.attributes.int("to");
  const kind = knownKind(to);
  const half = to === Type.FLOAT16 || to === Type.BFLOAT16;
  if (isKnown(item)) {
    if (half && !call.context.weights.isWeight(item)) return castToHalf(item, to);
    return kind === "int" ? castToWidth(item, to) : castKnown(item, kind);
  }
  const isUnsigned = to === Type.UINT32 || to === Type.UINT64;
  if (half || (isUnsigned && !isTruth(item)))
    throw new UnreadableError(
      `it computes in ${typeName(to)}; a model computes in float32${isUnsigned ? " and int32" : ""}. Export it ${isUnsigned ? "with int64" : "in float32"}`,
    );
  const result = castValue(call, item, kind);
  const width = widthOf(to);
  return width === undefined || isTruth(item) || !isValue(result) ? result : wrapped(call, result, width);
};

/** An integer cut to its lowest bits, as a narrow type holds it. */
function wrapped(call: Call, x: Value, { bits, signed }: Width): Value {
  const { b, context } = call;
  const number = (value: number) => context.weights.integer(value);
  const [zero, whole] = [number(0), number(2 ** bits)];
  const rest = sub(b, x, mul(b, div(b, x, whole), whole));
  const positive = where(b, greater(b, zero, rest), add(b, rest, whole), rest);
  if (!signed) return positive;
  return where(b, greater(b, positive, number(2 ** (bits - 1) - 1)), sub(b, positive, whole), positive);
}

/** Converts a computed item to another kind. */
function castValue(call: Call, item: Item, kind: Kind): Item {
  const { b } = call;
  if (isTruth(item))
    return kind === "bool" ? item : cast(b, item.truth, kind === "int" ? "int32" : "float32");
  const value = lift(call, item);
  if (kind !== "bool") return cast(b, value, kind === "int" ? "int32" : "float32");
  return { truth: not(call, equal(b, value, numberLike(call, value, 0))) };
}

export const choices: Readonly<Record<string, Rule>> = {
  ...questions,
  Cast: castRule,
  CastLike: (call) => {
    const like = operandItem(call, 1);
    const kind = isKnown(like)
      ? like.kind
      : isTruth(like)
        ? "bool"
        : isValue(like) && like.dtype === "int32"
          ? "int"
          : "float";
    const item = operandItem(call, 0);
    return isKnown(item) ? castKnown(item, kind) : castValue(call, item, kind);
  },
  Clip: clipped,
  Max: extreme(true),
  Min: extreme(false),
  Where: choice,
  Trilu: triangular,
  Sign: sign,
  Mod: modulo,
  IsInf: infinite,
  Floor: stepped(({ b }, x) => floor(b, x)),
  Round: stepped(({ b }, x) => round(b, x)),
  Ceil: stepped(({ b }, x) => scale(b, floor(b, scale(b, x, -1)), -1)),
};
