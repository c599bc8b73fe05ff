import { add, broadcastShapes, concat, expand, type Shape, sameExtent } from "@espalier/core/graph";
import {
  axisOf,
  type Call,
  input,
  knownInput,
  knownIntegers,
  lift,
  needed,
  type Rule,
  shapeOf,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { type Counting, type Item, isCounting, isKnown, isMerged } from "../items.ts";
import { onlyNumber } from "../known.ts";
import { reshapeTarget } from "../layout.ts";
import { extentsOf, knownKind, shapePart } from "./constants.ts";

/**
 * The numbers from 0 to the batch size, which cannot be written as a constant. They have one use: they say that each sample
 * has its own positions, as the first of those that GatherND and ScatterND take, or multiplied and added to those along an
 * axis into which the samples were merged.
 */

const unsupported = "it computes with the numbers from 0 to the batch size, which is not supported";

/** The same numbers in another shape: along one axis, constant along the others. */
function along(counting: Counting, shape: Shape): Counting {
  const axes = shape.flatMap((extent, axis) => (sameExtent(extent, counting.counts) ? [axis] : []));
  if (axes.length !== 1)
    throw new UnreadableError("it does not leave the numbers of the batch along one axis");
  return { ...counting, shape, axis: axes[0]! };
}

const rules: Readonly<Record<string, (call: Call, counting: Counting) => ReturnType<Rule>>> = {
  Identity: (_call, counting) => counting,
  Shape: (call, counting) => shapePart(call, counting.shape),
  Cast: (call, counting) => {
    if (knownKind(call.attributes.int("to")) !== "int")
      throw new UnreadableError("it turns the numbers of the batch into something other than positions");
    return counting;
  },
  Reshape: (call, counting) => {
    const target = extentsOf(needed(knownInput(call, 1, "shape"), "shape"));
    const shape = reshapeTarget(counting.shape, target, call.attributes.int("allowzero", 0) !== 0);
    return along(counting, shape);
  },
  Unsqueeze: (call, counting) => {
    const axes = needed(knownIntegers(call, 1, "axes"), "axes");
    const rank = counting.shape.length + axes.length;
    const added = new Set(axes.map((axis) => axisOf(axis, rank)));
    const rest = [...counting.shape];
    return along(
      counting,
      Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() ?? 1))),
    );
  },
  Expand: (call, counting) => {
    const shape = broadcastShapes(counting.shape, extentsOf(needed(knownInput(call, 1, "shape"), "shape")));
    if (shape === undefined) throw new UnreadableError("the shapes do not broadcast");
    return along(counting, shape);
  },
  Mul: (call, counting) => {
    const times = otherThan(call, counting);
    const number = isKnown(times) ? onlyNumber(times) : undefined;
    if (number === undefined || !Number.isInteger(number) || number <= 0)
      throw new UnreadableError(unsupported);
    return { ...counting, times: counting.times * number };
  },
  Add: (call, counting) => {
    const offsets = lift(call, otherThan(call, counting));
    const shape = broadcastShapes(counting.shape, offsets.shape);
    if (shape === undefined || shape.length !== counting.shape.length || counting.axis !== 0)
      throw new UnreadableError(unsupported);
    return { within: counting.counts, times: counting.times, offsets: expand(call.b, offsets, shape) };
  },
  Concat: (call, counting) => {
    const rank = counting.shape.length;
    const others = call.inputs.slice(1).map((_, i) => input(call, i + 1));
    const last = axisOf(call.attributes.int("axis"), rank) === rank - 1;
    const fits = others.every(
      (item) => shapeOf(item).length === rank && sameExtent(shapeOf(item)[0]!, counting.counts),
    );
    if (
      !last ||
      counting.times !== 1 ||
      counting.axis !== 0 ||
      counting.shape.at(-1) !== 1 ||
      others.length === 0 ||
      !fits
    )
      throw new UnreadableError("it does not turn the numbers of the batch into positions");
    const parts = others.map((item) => lift(call, item));
    return { within: counting.counts, tuples: concat(call.b, parts, rank - 1) };
  },
};

/** The operand beside the numbers of the batch. */
function otherThan(call: Call, counting: Counting): Item {
  return input(call, call.inputs[0] === counting ? 1 : 0);
}

/** The result of an operator that computes with the numbers of the batch; undefined if it is something else. */
export function ofCounting(call: Call): ReturnType<Rule> | undefined {
  const [first, second] = call.inputs;
  if (first !== undefined && isMerged(first)) {
    if (call.operator === "Add") {
      const sum = add(call.b, first.offsets, lift(call, input(call, 1)));
      if (sum.shape.length === first.offsets.shape.length) return { ...first, offsets: sum };
    }
    if (call.operator === "Shape") return shapePart(call, first.offsets.shape);
    if (call.operator === "Cast" && knownKind(call.attributes.int("to")) === "int") return first;
  }
  const either = call.operator === "Add" || call.operator === "Mul" ? (second ?? first) : first;
  const counting = [first, either].find((item) => item !== undefined && isCounting(item));
  if (counting === undefined || !isCounting(counting)) return undefined;
  const rule = Object.hasOwn(rules, call.operator) ? rules[call.operator] : undefined;
  if (rule === undefined) throw new UnreadableError(unsupported);
  return rule(call, counting);
}
