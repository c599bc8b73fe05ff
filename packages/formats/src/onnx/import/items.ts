import type { Value } from "@espalier/core";
import type { Known } from "./known.ts";

/** A list of values (ONNX's sequences); its length is always known. */
export interface Sequence {
  readonly items: readonly Item[];
}

/** Truth values that are computed from the input: a value of ones and zeros. */
export interface Truth {
  readonly truth: Value;
}

/** What a name in the file stands for: numbers, a value of the drawing, or one of the two above. */
export type Item = Known | Value | Sequence | Truth;

export function isKnown(item: Item): item is Known {
  return "data" in item;
}

export function isValue(item: Item): item is Value {
  return "id" in item;
}

export function isSequence(item: Item): item is Sequence {
  return "items" in item;
}

export function isTruth(item: Item): item is Truth {
  return "truth" in item;
}
