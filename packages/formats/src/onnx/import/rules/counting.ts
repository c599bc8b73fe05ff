import { broadcastShapes, concat, type Shape, sameExtent } from "@espalier/core/graph";
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
import { type Counting, isCounting } from "../items.ts";
import { reshapeTarget } from "../layout.ts";
import { extentsOf, knownKind } from "./constants.ts";

/**
 * The numbers from 0 to the batch size, which cannot be written as a constant. They have one use: as the first of the
 * positions that GatherND and ScatterND take, where they say that each sample has its own positions.
 */

/** The same numbers in another shape: along one axis, constant along the others. */
function along(counting: Counting, shape: Shape): Counting {
  const axes = shape.flatMap((extent, axis) => (sameExtent(extent, counting.counts) ? [axis] : []));
  if (axes.length !== 1)
    throw new UnreadableError("it does not leave the numbers of the batch along one axis");
  return { ...counting, shape, axis: axes[0]! };
}

const rules: Readonly<Record<string, (call: Call, counting: Counting) => ReturnType<Rule>>> = {
  Identity: (_call, counting) => counting,
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
  Concat: (call, counting) => {
    const rank = counting.shape.length;
    const others = call.inputs.slice(1).map((_, i) => input(call, i + 1));
    const last = axisOf(call.attributes.int("axis"), rank) === rank - 1;
    const fits = others.every(
      (item) => shapeOf(item).length === rank && sameExtent(shapeOf(item)[0]!, counting.counts),
    );
    if (!last || counting.axis !== 0 || counting.shape.at(-1) !== 1 || others.length === 0 || !fits)
      throw new UnreadableError("it does not turn the numbers of the batch into positions");
    const parts = others.map((item) => lift(call, item));
    return { within: counting.counts, tuples: concat(call.b, parts, rank - 1) };
  },
};

/** The result of an operator whose first input is the numbers of the batch; undefined if it is something else. */
export function ofCounting(call: Call): ReturnType<Rule> | undefined {
  const [first] = call.inputs;
  if (first === undefined || !isCounting(first)) return undefined;
  const rule = Object.hasOwn(rules, call.operator) ? rules[call.operator] : undefined;
  if (rule === undefined)
    throw new UnreadableError(
      "it computes with the numbers from 0 to the batch size, which is not supported",
    );
  return rule(call, first);
}
