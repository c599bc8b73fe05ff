import { type Expression, positionsOf } from "../dimensions/expression.ts";
import type { Extent } from "../graph/extent.ts";
import { countElements } from "../graph/extent.ts";
import type { TensorData } from "../graph/tensor.ts";
import { isKept, type Mask, maskFrom } from "../model/mask.ts";

/** The indices of a dimension that stay: one list, or one for each index of the dimension around it. */
export interface Kept {
  readonly dimension: number;
  readonly within?: number;
  readonly lists: readonly (readonly number[])[];
}

/** The positions of an axis that stay if a dimension keeps only some indices. */
export function keptPositions(e: Expression, kept: Kept, sizes: (dimension: number) => Extent): number[] {
  return positionsOf(e, sizes, (dimension, around) => {
    if (dimension !== kept.dimension) return Array.from({ length: sizes(dimension) as number }, (_, i) => i);
    return kept.lists[kept.within === undefined ? 0 : around.get(kept.within)!]!;
  });
}

/** Takes positions along one axis of a tensor, in the given order; only the shape if the tensor has no numbers. */
export function takeFromTensor(tensor: TensorData, axis: number, positions: readonly number[]): TensorData {
  const { shape, data, dtype } = tensor;
  if (data.length === 0) return { ...tensor, shape: shape.with(axis, positions.length) };
  const inner = countElements(shape.slice(axis + 1));
  const outer = countElements(shape.slice(0, axis));
  const extent = shape[axis]!;
  const size = outer * positions.length * inner;
  const result = data instanceof Float32Array ? new Float32Array(size) : new Int32Array(size);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const position of positions) {
      const from = (o * extent + position) * inner;
      if (inner === 1) result[to] = data[from]!;
      else result.set(data.subarray(from, from + inner), to);
      to += inner;
    }
  }
  return { dtype, shape: shape.with(axis, positions.length), data: result };
}

/** Takes positions along one axis of a mask. */
export function takeFromMask(mask: Mask, axis: number, positions: readonly number[]): Mask {
  const inner = countElements(mask.shape.slice(axis + 1));
  const extent = mask.shape[axis]!;
  const shape = mask.shape.with(axis, positions.length);
  return maskFrom(shape, (index) => {
    const i = index % inner;
    const along = Math.floor(index / inner);
    const position = positions[along % positions.length]!;
    const o = Math.floor(along / positions.length);
    return isKept(mask, (o * extent + position) * inner + i);
  });
}
