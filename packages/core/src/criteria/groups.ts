import type { PrunableDimension } from "../dimensions/dimensions.ts";
import { dimensionsIn, type Expression, extentOf, indicesAt } from "../dimensions/expression.ts";
import { countElements, type Extent } from "../graph/extent.ts";
import type { Model } from "../model/model.ts";
import { type IndexScores, prunableTensors, weightsOf } from "./criterion.ts";

/**
 * Sums a number per element over the group of each index: all slices of trainable members with two or more axes that
 * are removed with it. `element` gives each tensor's numbers.
 */
export async function groupSums(
  model: Model,
  dimensions: readonly PrunableDimension[],
  element: (tensors: readonly string[]) => Promise<ReadonlyMap<string, ArrayLike<number>>>,
): Promise<IndexScores[]> {
  const prunable = new Set(prunableTensors(model));
  const names = new Set(dimensions.flatMap(({ members }) => members.map(({ tensor }) => tensor)));
  const values = await element([...names].filter((name) => prunable.has(name)));
  return dimensions.map((dimension) => {
    const outer = outerExtent(model, dimension);
    const sums = new Float64Array(outer * dimension.size);
    for (const { tensor, shape, axes } of groupMembers(model, dimension)) {
      const numbers = values.get(tensor);
      if (numbers !== undefined) addGroups(sums, numbers, shape, axes);
    }
    return { dimension, outer, values: sums };
  });
}

/** The weights that are removed with each index: one vector per slot (outer index × size + index), all of one length. */
export function groupSlices(
  model: Model,
  dimension: PrunableDimension,
): { readonly outer: number; readonly vectors: readonly Float32Array[] } {
  const outer = outerExtent(model, dimension);
  const parts: number[][] = Array.from({ length: outer * dimension.size }, () => []);
  for (const { tensor, shape, axes } of groupMembers(model, dimension)) {
    const weights = weightsOf(model, tensor);
    const slotsAt = slotsOfElements(shape, axes);
    for (let i = 0; i < weights.length; i++) for (const slot of slotsAt(i)) parts[slot]!.push(weights[i]!);
  }
  return { outer, vectors: parts.map((part) => Float32Array.from(part)) };
}

/** Number of rows of a dimension's scores: the indices of the dimension around it, or 1. */
export function outerExtent(model: Model, { within }: PrunableDimension): number {
  return within === undefined ? 1 : (model.dimensions.list[within]!.size as number);
}

/** For each position of an axis, the slots (outer index × size + index) of a dimension that it belongs to. */
export type Slots = readonly (readonly number[])[];

/** A tensor that a dimension is part of, with the slots of each position of each axis; undefined for other axes. */
export interface GroupMember {
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly axes: readonly (Slots | undefined)[];
}

/** Every prunable tensor that a dimension is part of, with the slots of each position of each axis. */
export function* groupMembers(model: Model, dimension: PrunableDimension): Generator<GroupMember> {
  const prunable = new Set(prunableTensors(model));
  const values = new Map(model.graph.tensors.map(({ name, value }) => [name, value]));
  const size = (d: number): Extent => model.dimensions.list[d]!.size;
  for (const tensor of new Set(dimension.members.map((member) => member.tensor))) {
    if (!prunable.has(tensor)) continue;
    const axes = model.dimensions.axes[values.get(tensor)!]!.map((e) => slotsOf(e, dimension, size));
    yield { tensor, shape: model.tensors.get(tensor)!.shape, axes };
  }
}

/** The slots that each element belongs to, without repetition. */
function slotsOfElements(
  shape: readonly number[],
  axes: readonly (Slots | undefined)[],
): (element: number) => readonly number[] {
  const having = axes.flatMap((slots, axis) =>
    slots === undefined ? [] : [{ slots, inner: countElements(shape.slice(axis + 1)) }],
  );
  const at = ({ slots, inner }: (typeof having)[number], i: number) =>
    slots[Math.floor(i / inner) % slots.length]!;
  if (having.length === 1) return (i) => at(having[0]!, i);
  return (i) => [...new Set(having.flatMap((one) => at(one, i)))];
}

/**
 * For each position of an axis, the slots (outer index × size + index) of the dimension that it belongs to: one, or two
 * if the dimension occurs twice. Undefined for an axis without the dimension, or without the one around it.
 */
export function slotsOf(
  e: Expression,
  { number, within, size }: PrunableDimension,
  sizes: (d: number) => Extent,
): Slots | undefined {
  const present = dimensionsIn(e);
  if (!present.includes(number) || (within !== undefined && !present.includes(within))) return undefined;
  return Array.from({ length: extentOf(e, sizes) as number }, (_, position) => {
    const digits = indicesAt(e, position, sizes);
    const row = within === undefined ? 0 : digits.find(([d]) => d === within)![1];
    const slots = digits.flatMap(([d, index]) => (d === number ? [row * size + index] : []));
    return [...new Set(slots)];
  });
}

/** Adds each element once to every slot that it belongs to. */
function addGroups(
  sums: Float64Array,
  numbers: ArrayLike<number>,
  shape: readonly number[],
  axes: readonly (Slots | undefined)[],
): void {
  const having = axes.flatMap((slots, axis) => (slots === undefined ? [] : [{ slots, axis }]));
  const [first] = having;
  if (first !== undefined && having.length === 1 && first.slots.every((slots) => slots.length <= 1)) {
    const single = Int32Array.from(first.slots, ([slot]) => slot ?? -1);
    addSlices(sums, numbers, shape, first.axis, single);
    return;
  }
  const slotsAt = slotsOfElements(shape, axes);
  for (let i = 0; i < numbers.length; i++) for (const slot of slotsAt(i)) sums[slot]! += numbers[i]!;
}

/** Like `addGroups`, for one axis with the dimension whose positions each belong to at most one slot. */
function addSlices(
  sums: Float64Array,
  numbers: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  slots: Int32Array,
): void {
  const inner = countElements(shape.slice(axis + 1));
  const outer = countElements(shape.slice(0, axis));
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const slot of slots) {
      if (slot < 0) {
        at += inner;
        continue;
      }
      let sum = 0;
      for (let i = 0; i < inner; i++) sum += numbers[at++]!;
      sums[slot]! += sum;
    }
  }
}
