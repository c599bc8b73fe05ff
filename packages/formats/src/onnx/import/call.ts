import {
  type Builder,
  batch,
  type Extent,
  elementsOf,
  expand,
  isBatch,
  normalizeAxis,
  printShape,
  reshape,
  type Shape,
  sameExtent,
  type Value,
} from "@espalier/core/graph";
import { reshapeKnown } from "./arrays.ts";
import type { Attributes } from "./attributes.ts";
import { UnreadableError } from "./errors.ts";
import {
  type Item,
  isCounting,
  isKnown,
  isMerged,
  isRepeated,
  isSequence,
  isTruth,
  isTuples,
  isValue,
} from "./items.ts";
import { type Known, onlyNumber, plainNumbers } from "./known.ts";
import type { Use } from "./roles.ts";
import type { OpenedBatch } from "./samples.ts";
import type { Weights } from "./weights.ts";

/** Data shared by all nodes of one import. */
export interface Context {
  readonly weights: Weights;
  /** Set if a file for one batch size is read with an open batch. */
  readonly opened?: OpenedBatch;
  readonly opset: number;
}

/**
 * A node that is being read. A rule looks at its inputs and draws, or computes, its outputs. Throws UnreadableErrors
 * that say what is wrong.
 */
export interface Call {
  readonly operator: string;
  /** The module that the node belongs to: `encoder.layers.0`; may be empty. */
  readonly module: string;
  /** Draws under the module. */
  readonly b: Builder;
  readonly context: Context;
  readonly attributes: Attributes;
  /** Undefined for omitted inputs. */
  readonly inputs: readonly (Item | undefined)[];
  /** Whether something reads an output; others need not be computed. */
  readonly wants: readonly boolean[];
  /** Name for a weight of this node that has lost its own. */
  nameFor(part: "weight" | "bias"): string | undefined;
  /** The bias that belongs to the node's weight, if its name says so. */
  bias(): Known | undefined;
  /** Whether the exporter records modules separately from names. */
  readonly scoped: boolean;
}

export type Rule = (call: Call) => Item | readonly (Item | undefined)[];

/** Returns a required input. */
export function input(call: Call, i: number): Item {
  const item = call.inputs[i];
  if (item === undefined) throw new UnreadableError(`its input ${i} is missing`);
  if (isSequence(item)) throw new UnreadableError(`its input ${i} is a list of values`);
  if (isTruth(item)) throw new UnreadableError(`its input ${i} holds truth values`);
  if (isCounting(item) || isTuples(item) || isMerged(item) || isRepeated(item))
    throw new UnreadableError(
      "it computes with the numbers from 0 to the batch size, which is not supported",
    );
  return item;
}

/** Like `input`, but also accepts truth values. */
export function operandItem(call: Call, i: number): Item {
  const item = call.inputs[i];
  return item !== undefined && isTruth(item) ? item : input(call, i);
}

/** Returns an input that must be known at import. `what` names it in messages; undefined for an omitted one. */
export function knownInput(call: Call, i: number, what: string): Known | undefined {
  if (call.inputs[i] === undefined) return undefined;
  const item = input(call, i);
  if (!isKnown(item))
    throw new UnreadableError(`its ${what} is computed from the input; it must be a constant`);
  return item;
}

/** Integers of an input that must be known, with one axis; undefined for an omitted one. */
export function knownIntegers(call: Call, i: number, what: string): number[] | undefined {
  const known = knownInput(call, i, what);
  if (known === undefined) return undefined;
  const numbers = Array.from(plainNumbers(known));
  if (!numbers.every(Number.isInteger)) throw new UnreadableError(`its ${what} must be integers`);
  return numbers;
}

/** The only number of an input that must be known. */
export function knownNumber(call: Call, i: number, what: string): number | undefined {
  const known = knownInput(call, i, what);
  if (known === undefined) return undefined;
  if (known.data.length !== 1) throw new UnreadableError(`its ${what} must be one number`);
  return plainNumbers(known)[0]!;
}

/** Throws if something required is missing. */
export function needed<T>(given: T | undefined, what: string): T {
  if (given === undefined) throw new UnreadableError(`its ${what} is missing`);
  return given;
}

/** Whether an item can be computed at import: known, and not a weight. */
export function isPlain({ context }: Call, item: Item): item is Known {
  return isKnown(item) && !context.weights.isWeight(item);
}

/** Converts an item to a value of the drawing. */
export function lift(call: Call, item: Item, use: Use = { as: "operand" }): Value {
  if (isValue(item)) return item;
  if (!isKnown(item)) throw new UnreadableError("it does not take lists of values");
  const name = use.name ?? call.nameFor(use.as === "weight" ? "weight" : "bias");
  const named = use.as === "weight" || use.as === "bias" ? name : use.name;
  const bias = use.as === "weight" ? call.bias() : undefined;
  return call.context.weights.lift(call.b, item, {
    ...use,
    ...(call.scoped && { module: call.module }),
    ...(bias !== undefined && { bias }),
    ...(named !== undefined && { name: named }),
  });
}

/** An input as a value. */
export function valueInput(call: Call, i: number, use?: Use): Value {
  return lift(call, input(call, i), use);
}

/** A number as a scalar of the type that a value has. */
export function numberLike({ context }: Call, x: Value, number: number): Value {
  return x.dtype === "int32" ? context.weights.integer(number) : context.weights.number(number);
}

/** The number of a scalar constant, unless it would give the other operand more axes. */
export function numberBeside(call: Call, item: Item, other: Value): number | undefined {
  if (!isPlain(call, item) || item.shape.length > other.shape.length) return undefined;
  return onlyNumber(item);
}

/**
 * In a file whose batch was opened, repeats over the batch what was computed without the input and meets a value with
 * the batch. `axis` counts from the end; other axes are as long as necessary.
 */
export function spread({ b, context }: Call, x: Value, other: Shape): Value {
  if (context.opened === undefined || x.shape.some(isBatch)) return x;
  const back = x.shape.findIndex((extent, axis) => {
    const beside = other[axis - x.shape.length + other.length];
    return extent !== 1 && beside !== undefined && isBatch(beside) && beside.batch === extent;
  });
  if (back < 0) return x;
  const apart = reshape(b, x, x.shape.toSpliced(back, 0, 1));
  const repeated = expand(b, apart, x.shape.toSpliced(back, 0, batch));
  return reshape(b, repeated, x.shape.with(back, { batch: x.shape[back] as number }));
}

/** Indices counted from the front. */
export function positionsOf(indices: ArrayLike<number>, extent: number): number[] {
  return Array.from(indices, (index) => {
    const position = index < 0 ? index + extent : index;
    if (!(Number.isInteger(position) && position >= 0 && position < extent))
      throw new UnreadableError(`its index ${index} is outside an axis of ${extent}`);
    return position;
  });
}

/** Integers of a tensor of indices, as a constant of the model. */
export function indexValue(call: Call, shape: readonly number[], positions: readonly number[]): Value {
  const known: Known = { kind: "int", shape, data: Float64Array.from(positions) };
  return lift(call, known, { as: "operand", name: [call.module, "indices"].filter(Boolean).join(".") });
}

/** The shape of an item. */
export function shapeOf(item: Item): Shape {
  if (isKnown(item) || isValue(item)) return item.shape;
  if (isTruth(item)) return item.truth.shape;
  throw new UnreadableError("a list of values has no shape");
}

/** The same elements in another shape. */
export function regroup(call: Call, item: Item, shape: Shape): Item {
  if (!sameExtent(elementsOf(shapeOf(item)), elementsOf(shape)))
    throw new UnreadableError(`${printShape(shapeOf(item))} cannot become ${printShape(shape)}`);
  if (isPlain(call, item)) return reshapeKnown(item, shape as readonly number[]);
  return reshape(call.b, lift(call, item), shape);
}

/** An axis counted from the front. */
export function axisOf(axis: number, rank: number): number {
  return normalizeAxis(axis, rank);
}

/** An extent as a number; the batch is none. */
export function fixedExtent(extent: Extent, what: string): number {
  if (isBatch(extent)) throw new UnreadableError(`${what} would mix the samples of a batch`);
  return extent;
}
