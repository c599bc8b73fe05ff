import type { Value } from "@espalier/core";
import type { Known } from "./known.ts";

/** A list of values (ONNX's sequences); its length is always known. */
export interface Sequence {
  readonly items: readonly Item[];
}

/** The question whether numbers of a value are not a number: asked by exporters to guard a softmax. */
export interface NanTest {
  readonly nanOf: Value;
}

/** What a name in the file stands for: numbers, a value of the drawing, or one of the two above. */
export type Item = Known | Value | Sequence | NanTest;

export function isKnown(item: Item): item is Known {
  return "data" in item;
}

export function isValue(item: Item): item is Value {
  return "id" in item;
}

export function isSequence(item: Item): item is Sequence {
  return "items" in item;
}

export function isNanTest(item: Item): item is NanTest {
  return "nanOf" in item;
}
