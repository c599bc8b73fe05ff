import { type Extent, isBatch, type Shape } from "@espalier/core/graph";
import {
  axisOf,
  type Call,
  input,
  knownInput,
  knownNumber,
  needed,
  operandItem,
  type Rule,
  shapeOf,
} from "../call.ts";
import { UnreadableError } from "../errors.ts";
import type { Counting } from "../items.ts";
import { build, integers, type Kind, type Known, type Pair, scalar } from "../known.ts";
import { repeated } from "../repeated.ts";
import { kindOf, typeName } from "../tensor-data.ts";

/** Operators whose result is known before the model runs: shapes, and computations with them. */

/** Shapes as numbers, with the batch size as a symbol. */
function shapeNumbers(shape: Shape): Known {
  return build("int", [shape.length], (i) => {
    const extent = shape[i]!;
    return isBatch(extent) ? [extent.batch, 1] : [extent, 0];
  });
}

/** Known integers as a shape; may include −1 and 0. */
export function extentsOf({ data, powers, shape, kind }: Known): Extent[] {
  if (shape.length > 1 || kind !== "int") throw new UnreadableError("its shape must be one axis of integers");
  return Array.from(data, (factor, i): Extent => {
    const power = powers?.[i] ?? 0;
    if (power < 0 || !Number.isInteger(factor)) throw new UnreadableError("its shape must be integers");
    return power === 0 ? factor : { batch: factor };
  });
}

export function knownKind(type: number): Kind {
  const kind = kindOf(type);
  if (kind === undefined) throw new UnreadableError(`constants of ${typeName(type)} are not supported`);
  return kind;
}

const constant: Rule = ({ attributes }) => {
  const tensor = attributes.tensor("value");
  if (tensor !== undefined) return tensor;
  if (attributes.has("value_float")) return scalar("float", attributes.float("value_float"));
  if (attributes.has("value_int")) return scalar("int", attributes.int("value_int"));
  const ints = attributes.ints("value_ints");
  if (ints !== undefined) return integers(ints);
  const floats = attributes.floats("value_floats");
  if (floats === undefined) throw new UnreadableError("text and sparse constants cannot be read");
  return { kind: "float", shape: [floats.length], data: Float64Array.from(floats) };
};

const shape: Rule = (call) => shapePart(call, shapeOf(operandItem(call, 0)));

/** The part of a shape that a Shape node asks for. */
export function shapePart({ attributes }: Call, of: Shape): Known {
  const at = (position: number) =>
    Math.min(Math.max(position < 0 ? position + of.length : position, 0), of.length);
  return shapeNumbers(of.slice(at(attributes.int("start", 0)), at(attributes.int("end", of.length))));
}

const size: Rule = (call) => {
  const numbers = shapeNumbers(shapeOf(operandItem(call, 0)));
  const power = numbers.powers?.some((p) => p !== 0) ? 1 : 0;
  const pair: Pair = [Array.from(numbers.data).reduce((n, factor) => n * factor, 1), power];
  return build("int", [], () => pair);
};

const constantOfShape: Rule = (call) => {
  const target = extentsOf(needed(knownInput(call, 0, "shape"), "shape"));
  const value = call.attributes.tensor("value") ?? scalar("float", 0);
  const fill: Known = { ...value, shape: [] };
  if (!target.some(isBatch)) return build(fill.kind, target as number[], () => [fill.data[0]!, 0]);
  // The batch is the same everywhere: one number stands for all of it.
  const shape = target.map((extent) => (isBatch(extent) ? 1 : extent));
  return repeated(
    build(fill.kind, shape, () => [fill.data[0]!, 0]),
    target,
  );
};

/** A Range whose end depends on the batch size; undefined for any other. */
function countingRange(start: Known, limit: Known, delta: Known): Counting | undefined {
  const power = limit.powers?.[0] ?? 0;
  if (power !== 1 || limit.data.length !== 1 || start.data[0] !== 0 || delta.data[0] !== 1) return undefined;
  const extent: Extent = { batch: limit.data[0]! };
  return { counts: extent, times: 1, axis: 0, shape: [extent] };
}

const range: Rule = (call) => {
  const given = ["start", "limit", "delta"].map((what, i) => needed(knownInput(call, i, what), what));
  const counting = countingRange(given[0]!, given[1]!, given[2]!);
  if (counting !== undefined) return counting;
  const [start, limit, delta] = ["start", "limit", "delta"].map((what, i) =>
    needed(knownNumber(call, i, what), what),
  );
  const count = Math.max(0, Math.ceil((limit! - start!) / delta!));
  const { kind } = input(call, 0) as Known;
  return build(kind, [count], (i) => [start! + i * delta!, 0]);
};

const eyeLike: Rule = (call) => {
  const of = shapeOf(input(call, 0));
  if (of.length !== 2 || of.some(isBatch))
    throw new UnreadableError("its input must have two axes of known length");
  const offset = call.attributes.int("k", 0);
  const kind = call.attributes.has("dtype") ? knownKind(call.attributes.int("dtype")) : "float";
  const columns = of[1] as number;
  return build(kind, of as readonly number[], (i) => [
    (i % columns) - Math.floor(i / columns) === offset ? 1 : 0,
    0,
  ]);
};

/** For known arrays here; for computed values it is a product with a table of zeros and ones. */
export function triangle(call: Call, x: { readonly shape: Shape }): Known {
  const k = knownNumber(call, 1, "diagonal") ?? 0;
  const upper = call.attributes.int("upper", 1) !== 0;
  const [rows, columns] = x.shape.slice(-2);
  if (typeof rows !== "number" || typeof columns !== "number")
    throw new UnreadableError("its input must end in two axes of known length");
  return build("float", [rows, columns], (i) => {
    const above = (i % columns) - Math.floor(i / columns);
    return [(upper ? above >= k : above <= k) ? 1 : 0, 0];
  });
}

/** The length of the axis that a OneHot adds. */
export function oneHotDepth(call: Call): number {
  const depth = Math.trunc(needed(knownNumber(call, 1, "depth"), "depth"));
  if (!(depth > 0)) throw new UnreadableError(`its depth ${depth} is not a length`);
  return depth;
}

/** Ones (or another value) at the positions that a constant gives. */
export const oneHotKnown: Rule = (call) => {
  const indices = needed(knownInput(call, 0, "indices"), "indices");
  const depth = oneHotDepth(call);
  const values = needed(knownInput(call, 2, "values"), "values");
  const rank = indices.shape.length + 1;
  const axis = axisOf(call.attributes.int("axis", -1), rank);
  const shape = indices.shape.toSpliced(axis, 0, depth);
  const inner = indices.shape.slice(axis).reduce((n, extent) => n * extent, 1);
  return build(values.kind, shape, (i) => {
    const outer = Math.floor(i / (inner * depth));
    const at = indices.data[outer * inner + (i % inner)]!;
    const hot = Math.floor(i / inner) % depth === (at < 0 ? at + depth : at);
    return [values.data[hot ? 1 : 0]!, 0];
  });
};

export const constants: Readonly<Record<string, Rule>> = {
  Constant: constant,
  Shape: shape,
  Size: size,
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
};
