import type { Extent, Shape, Value } from "@espalier/core/graph";
import type { Known } from "./known.ts";

/** A list of values (ONNX's sequences) of known length. */
export interface Sequence {
  readonly items: readonly Item[];
}

/** Truth values that are computed from the input: a value of ones and zeros. */
export interface Truth {
  readonly truth: Value;
}

/** The numbers from 0 to the batch size (or a multiple of it) along an axis, each multiplied by `times`. */
export interface Counting {
  readonly counts: Extent;
  readonly times: number;
  readonly axis: number;
  readonly shape: Shape;
}

/** Tuples of positions: those of each sample (of `within`, the batch) point into that sample's part of the data. */
export interface Tuples {
  readonly within: Extent;
  readonly tuples: Value;
}

/**
 * Positions along an axis into which the samples of `within` were merged: `times` positions each, of which `offsets` are
 * taken.
 */
export interface Merged {
  readonly within: Extent;
  readonly times: number;
  readonly offsets: Value;
}

/**
 * A constant that is equal for all samples: numbers with extent 1 in place of the batch, and the shape they are
 * repeated to.
 */
export interface Repeated {
  readonly repeats: Known;
  readonly shape: Shape;
}

/**
 * A list with an entry for each position at which a truth value holds. Its length depends on the input, so it is drawn
 * for all positions: a column is an axis, for the position along it, or a value in the shape of the truth value.
 */
export interface Listed {
  /** Ones at the positions that are in the list. */
  readonly where: Value;
  readonly columns: readonly (number | Value)[];
  /** The file's shape of it, in which `undefined` stands for the number of positions. */
  readonly listed: readonly (number | undefined)[];
}

/** The shape of a list in the file. */
export interface ListedShape {
  readonly shapeOf: Listed;
}

/** The item behind a name in the file: numbers, a value of the drawing, or one of those above. */
export type Item =
  | Known
  | Value
  | Sequence
  | Truth
  | Counting
  | Tuples
  | Merged
  | Repeated
  | Listed
  | ListedShape;

export function isKnown(item: Item): item is Known {
  return "data" in item;
}

export function isValue(item: Item): item is Value {
  return "id" in item;
}

export function isSequence(item: Item): item is Sequence {
  return "items" in item;
}

export function isCounting(item: Item): item is Counting {
  return "counts" in item;
}

export function isTuples(item: Item): item is Tuples {
  return "tuples" in item;
}

export function isMerged(item: Item): item is Merged {
  return "offsets" in item;
}

export function isRepeated(item: Item): item is Repeated {
  return "repeats" in item;
}

export function isListed(item: Item): item is Listed {
  return "listed" in item;
}

export function isListedShape(item: Item): item is ListedShape {
  return "shapeOf" in item;
}

export function isTruth(item: Item): item is Truth {
  return "truth" in item;
}
