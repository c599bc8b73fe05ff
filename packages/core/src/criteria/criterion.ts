import type { PrunableDimension } from "../dimensions/dimensions.ts";
import { dimensionsIn, type Expression, extentOf, indicesAt } from "../dimensions/expression.ts";
import { EspalierError } from "../errors.ts";
import { countElements, type Extent } from "../graph/extent.ts";
import type { Model } from "../model/model.ts";
import type { Collect } from "../pruning/strategy.ts";

/** What a criterion may look at. */
export interface ScoreRequest {
  readonly model: Model;
  readonly collect?: Collect;
}

/** Importance of the indices of a dimension: `outer` rows of `size` numbers; one row unless the dimension lies within another. */
export interface IndexScores {
  readonly dimension: PrunableDimension;
  readonly outer: number;
  readonly values: Float64Array;
}

/** Says how important weights, and the indices of dimensions, are. All numbers are ≥ 0; the smallest go first. */
export interface Criterion {
  readonly name: string;
  /** By tensor, one number an element. */
  weights(request: ScoreRequest, tensors: readonly string[]): Promise<ReadonlyMap<string, Float32Array>>;
  /** By dimension, one number an index, over all its members together. */
  indices(request: ScoreRequest, dimensions: readonly PrunableDimension[]): Promise<readonly IndexScores[]>;
  /**
   * The share of each tensor's weights to remove, for criteria that decide this themselves (WSAP); grows with `amount`.
   */
  shares?(model: Model, tensors: readonly string[], amount: number): ReadonlyMap<string, number>;
}

/** Trainable tensors with two or more axes, in graph order: what is pruned by default, not norms, biases or buffers. */
export function prunableTensors(model: Model): string[] {
  return model.graph.tensors.flatMap(({ name, role, value }) =>
    role === "trainable" && model.graph.values[value]!.shape.length >= 2 ? [name] : [],
  );
}

/** Values of a tensor; it must be float32. */
export function weightsOf(model: Model, name: string): Float32Array {
  const tensor = model.tensors.get(name);
  if (tensor === undefined) throw new EspalierError(`the model has no tensor "${name}".`);
  return tensor.data as Float32Array;
}

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
  const ids = new Map(model.graph.tensors.map(({ name, value }) => [name, value]));
  const size = (d: number): Extent => model.dimensions.list[d]!.size;
  return dimensions.map((dimension) => {
    const outer = dimension.within === undefined ? 1 : (size(dimension.within) as number);
    const sums = new Float64Array(outer * dimension.size);
    for (const tensor of new Set(dimension.members.map((member) => member.tensor))) {
      const numbers = values.get(tensor);
      if (numbers === undefined) continue;
      const axes = model.dimensions.axes[ids.get(tensor)!]!.map((e) => slotsOf(e, dimension, size));
      addGroups(sums, numbers, model.tensors.get(tensor)!.shape, axes);
    }
    return { dimension, outer, values: sums };
  });
}

/**
 * For each position of an axis, the slots (outer index × size + index) of the dimension that it belongs to: one, or two
 * where the dimension occurs twice. Undefined for an axis without the dimension.
 */
function slotsOf(
  e: Expression,
  { number, within, size }: PrunableDimension,
  sizes: (d: number) => Extent,
): readonly (readonly number[])[] | undefined {
  if (!dimensionsIn(e).includes(number)) return undefined;
  return Array.from({ length: extentOf(e, sizes) as number }, (_, position) => {
    const digits = indicesAt(e, position, sizes);
    const row = within === undefined ? 0 : digits.find(([d]) => d === within)![1];
    const slots = digits.flatMap(([d, index]) => (d === number ? [row * size + index] : []));
    return [...new Set(slots)];
  });
}

/** Adds each element to every slot it belongs to, once. */
function addGroups(
  sums: Float64Array,
  numbers: ArrayLike<number>,
  shape: readonly number[],
  axes: readonly (readonly (readonly number[])[] | undefined)[],
): void {
  const having = axes.flatMap((slots, axis) => (slots === undefined ? [] : [{ slots, axis }]));
  const [first] = having;
  if (first !== undefined && having.length === 1 && first.slots.every((slots) => slots.length <= 1)) {
    const single = Int32Array.from(first.slots, ([slot]) => slot ?? -1);
    addSlices(sums, numbers, shape, first.axis, single);
    return;
  }
  const steps = having.map(({ slots, axis }) => ({ slots, inner: countElements(shape.slice(axis + 1)) }));
  for (let i = 0; i < numbers.length; i++) {
    const own = steps.flatMap(({ slots, inner }) => slots[Math.floor(i / inner) % slots.length]!);
    for (const slot of new Set(own)) sums[slot]! += numbers[i]!;
  }
}

/** As `addGroups`, where one axis has the dimension and each position belongs to one slot at most. */
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
