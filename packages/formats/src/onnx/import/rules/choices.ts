import { add, broadcastShapes, clip, expand, mul, relu, type Shape, sub, type Value } from "@espalier/core";
import { castKnown, foldBinary, foldUnary, foldWhere } from "../arithmetic.ts";
import { type Call, input, isPlain, knownNumber, lift, numberBeside, type Rule, shapeOf } from "../call.ts";
import { type Item, isKnown, isNanTest, isValue } from "../items.ts";
import { type Known, scalar } from "../known.ts";
import { triangle } from "./constants.ts";

/** Bounds, masks and questions. Questions are answered while the file is read, so they can only be about constants. */

const clipped: Rule = (call) => {
  const item = input(call, 0);
  const [least, largest] = [knownNumber(call, 1, "lower bound"), knownNumber(call, 2, "upper bound")];
  if (isPlain(call, item)) {
    const raised = least === undefined ? item : foldBinary("Max", item, scalar(item.kind, least));
    return largest === undefined ? raised : foldBinary("Min", raised, scalar(item.kind, largest));
  }
  // The largest float32 numbers stand for no bound.
  const min = least !== undefined && least > -3.4e38 ? least : undefined;
  const max = largest !== undefined && largest < 3.4e38 ? largest : undefined;
  const x = lift(call, item);
  if (min === undefined && max === undefined) return x;
  if (min === 0 && max === undefined) return relu(call.b, x);
  return clip(call.b, x, { ...(min !== undefined && { min }), ...(max !== undefined && { max }) });
};

/** The larger (or smaller) of any number of values: y + max(x − y, 0). A scalar constant is a bound. */
function extreme(largest: boolean): Rule {
  const ofTwo = (call: Call, left: Item, right: Item): Item => {
    if (isPlain(call, left) && isPlain(call, right)) return foldBinary(call.operator, left, right);
    const { b } = call;
    const [value, bound] = isValue(left) ? [left, right] : [right, left];
    const number = isValue(value) ? numberBeside(call, bound, value) : undefined;
    if (number !== undefined) {
      if (largest && number === 0) return relu(b, value as Value);
      return clip(b, value as Value, largest ? { min: number } : { max: number });
    }
    const [x, y] = [lift(call, left), lift(call, right)];
    return largest ? add(b, y, relu(b, sub(b, x, y))) : sub(b, y, relu(b, sub(b, y, x)));
  };
  return (call) => {
    if (call.inputs.length === 0) throw new RangeError("it has no inputs");
    return call.inputs.map((_, i) => input(call, i)).reduce((left, right) => ofTwo(call, left, right));
  };
}

/** Operators on truth values, and those that have no gradient. */
const constantsOnly: Rule = (call) => {
  const items = call.inputs.map((_, i) => input(call, i));
  if (!items.every(isKnown))
    throw new RangeError(
      "it is about values that are computed from the input; it can only be about constants",
    );
  const [first, second] = items;
  if (first === undefined) throw new RangeError("its input 0 is missing");
  const folded =
    second === undefined ? foldUnary(call.operator, first) : foldBinary(call.operator, first, second);
  if (folded === undefined) throw new RangeError("its second input is missing");
  return folded;
};

const modulo: Rule = (call) => {
  const fmod = call.attributes.int("fmod", 0) !== 0;
  return constantsOnly({ ...call, operator: fmod ? "Remainder" : "Mod" });
};

const nanTest: Rule = (call) => {
  const x = input(call, 0);
  return isValue(x) ? { nanOf: x } : constantsOnly(call);
};

/** A choice by a known condition: products with zeros and ones, and a sum. */
const where: Rule = (call) => {
  const [condition] = call.inputs;
  const [yes, no] = [input(call, 1), input(call, 2)];
  // Exporters guard a softmax against rows that are masked throughout; its other rows are as they were.
  if (condition !== undefined && isNanTest(condition) && isValue(no) && no.id === condition.nanOf.id)
    return no;
  const test = input(call, 0);
  if (!isKnown(test))
    throw new RangeError("its condition is computed from the input; it can only choose by constants");
  if (isPlain(call, yes) && isPlain(call, no)) return foldWhere(test, yes, no);
  if (test.data.every((bit) => bit !== 0)) return inShapeOf(call, lift(call, yes), test, no);
  if (test.data.every((bit) => bit === 0)) return inShapeOf(call, lift(call, no), test, yes);
  const chosen = castKnown(test, "float");
  const others = castKnown(foldUnary("Not", test)!, "float");
  return add(
    call.b,
    masked(call, yes, test, chosen, no),
    masked(call, no, foldUnary("Not", test)!, others, yes),
  );
};

/** An item where a condition holds, zero elsewhere. */
function masked(call: Call, item: Item, test: Known, mask: Known, other: Item): Value {
  // Infinity times zero is no number: constants are chosen beforehand.
  if (isPlain(call, item)) return lift(call, foldWhere(test, item, scalar(item.kind, 0)), named(call));
  const x = lift(call, item);
  // Whatever is added to minus infinity is minus infinity: there is no need for zeros first.
  const drowned = isPlain(call, other) && other.data.every((value) => value === Number.NEGATIVE_INFINITY);
  return drowned ? x : mul(call.b, x, lift(call, mask, named(call)));
}

function named({ module }: Call) {
  return { as: "operand" as const, name: [module, "mask"].filter(Boolean).join(".") };
}

/** What is always chosen, in the shape that the choice has. */
function inShapeOf(call: Call, x: Value, ...others: readonly Item[]): Value {
  const shape = others.reduce<Shape | undefined>(
    (whole, item) => whole && broadcastShapes(whole, shapeOf(item)),
    x.shape,
  );
  if (shape === undefined) throw new RangeError("the shapes do not broadcast");
  return expand(call.b, x, shape);
}

/** Zeros above or below a diagonal. */
const triangular: Rule = (call) => {
  const x = input(call, 0);
  const kept = triangle(call, { shape: shapeOf(x) });
  if (isPlain(call, x)) return foldWhere(kept, x, scalar(x.kind, 0));
  return mul(call.b, lift(call, x), lift(call, kept, named(call)));
};

const questions = [
  "Equal",
  "Less",
  "LessOrEqual",
  "Greater",
  "GreaterOrEqual",
  "And",
  "Or",
  "Xor",
  "Not",
  "IsInf",
];
const steps = ["Floor", "Ceil", "Round", "Sign"];

export const choices: Readonly<Record<string, Rule>> = {
  Clip: clipped,
  Max: extreme(true),
  Min: extreme(false),
  Mod: modulo,
  IsNaN: nanTest,
  Where: where,
  Trilu: triangular,
  ...Object.fromEntries([...questions, ...steps].map((name) => [name, constantsOnly])),
};
