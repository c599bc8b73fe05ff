import type { PrunableDimension } from "../dimensions/dimensions.ts";
import { dimensionsIn, type Expression, extentOf, isProduct } from "../dimensions/expression.ts";
import { countElements, type Extent } from "../graph/extent.ts";
import type { Model } from "../model/model.ts";
import { type IndexScores, prunableTensors, weightsOf } from "./criterion.ts";

/**
 * Sums a number of every element over the group of each index: all slices of all trainable members with two or more
 * axes that would go with it. `element` gives each tensor's numbers.
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
    for (const { tensor, shape, axis, slots } of memberAxes(model, dimension)) {
      const numbers = values.get(tensor);
      if (numbers !== undefined) addSlices(sums, numbers, shape, axis, slots);
    }
    return { dimension, outer, values: sums };
  });
}

/** The weights that would go with each index, one vector for each slot (outer index × size + index), all of one length. */
export function groupSlices(
  model: Model,
  dimension: PrunableDimension,
): { readonly outer: number; readonly vectors: readonly Float32Array[] } {
  const outer = outerExtent(model, dimension);
  const parts: number[][] = Array.from({ length: outer * dimension.size }, () => []);
  for (const { tensor, shape, axis, slots } of memberAxes(model, dimension)) {
    const weights = weightsOf(model, tensor);
    const inner = countElements(shape.slice(axis + 1));
    for (let i = 0; i < weights.length; i++) {
      const slot = slots[Math.floor(i / inner) % slots.length]!;
      if (slot >= 0) parts[slot]!.push(weights[i]!);
    }
  }
  return { outer, vectors: parts.map((part) => Float32Array.from(part)) };
}

function outerExtent(model: Model, { within }: PrunableDimension): number {
  return within === undefined ? 1 : (model.dimensions.list[within]!.size as number);
}

/** Every axis of a prunable tensor that a dimension is part of, with the slot of each of its positions. */
function* memberAxes(model: Model, dimension: PrunableDimension) {
  const prunable = new Set(prunableTensors(model));
  const values = new Map(model.graph.tensors.map(({ name, value }) => [name, value]));
  const size = (d: number): Extent => model.dimensions.list[d]!.size;
  for (const tensor of new Set(dimension.members.map((member) => member.tensor))) {
    if (!prunable.has(tensor)) continue;
    const axes = model.dimensions.axes[values.get(tensor)!]!;
    for (const [axis, expression] of axes.entries()) {
      if (!dimensionsIn(expression).includes(dimension.number)) continue;
      const { shape } = model.tensors.get(tensor)!;
      yield { tensor, shape, axis, slots: slotsOf(expression, dimension, size) };
    }
  }
}

/** For each position of an axis, the slot (outer index × size + index) of the dimension it belongs to; −1 for none. */
function slotsOf(e: Expression, dimension: PrunableDimension, size: (d: number) => Extent): Int32Array {
  const extent = (part: Expression) => extentOf(part, size) as number;
  const slots = new Int32Array(extent(e)).fill(-1);
  const visit = (part: Expression, start: number, stride: number, row: number, into: Int32Array): void => {
    if (typeof part === "number") {
      if (part !== dimension.number) return;
      for (let i = 0; i < dimension.size; i++) {
        for (let s = 0; s < stride; s++) into[start + i * stride + s] = row * dimension.size + i;
      }
    } else if (isProduct(part)) {
      const [first, ...rest] = part.product;
      if (first === undefined) return;
      const inner = { product: rest };
      const innerSize = extent(inner);
      visit(first, start, stride * innerSize, row, into);
      for (let i = 0; i < extent(first); i++) {
        visit(inner, start + i * innerSize * stride, stride, first === dimension.within ? i : row, into);
      }
    } else {
      let at = start;
      for (const term of part.sum) {
        visit(term, at, stride, row, into);
        at += extent(term) * stride;
      }
    }
  };
  visit(e, 0, 1, 0, slots);
  return slots;
}

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
