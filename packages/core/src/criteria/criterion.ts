import type { PrunableDimension } from "../dimensions/dimensions.ts";
import { dimensionsIn, type Expression, extentOf, isProduct } from "../dimensions/expression.ts";
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
      const axes = model.dimensions.axes[ids.get(tensor)!]!;
      axes.forEach((expression, axis) => {
        if (!dimensionsIn(expression).includes(dimension.number)) return;
        const slots = slotsOf(expression, dimension, size);
        addSlices(sums, numbers, model.tensors.get(tensor)!.shape, axis, slots);
      });
    }
    return { dimension, outer, values: sums };
  });
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
