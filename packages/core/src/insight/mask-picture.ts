import { extentOf } from "../dimensions/expression.ts";
import { originalPositions, originalSize } from "../dimensions/original.ts";
import { EspalierError } from "../errors.ts";
import { countElements } from "../graph/extent.ts";
import { isKept } from "../model/mask.ts";
import type { Model } from "../model/model.ts";

/** A picture of a tensor before pruning, showing what is left: each cell stands for one element or a block of elements. */
export interface MaskPicture {
  readonly tensor: string;
  /** Shape before anything was pruned, and now. */
  readonly original: readonly number[];
  readonly shape: readonly number[];
  /** Cells, row-major. */
  readonly rows: number;
  readonly columns: number;
  /** Shares of each cell's elements that are kept, masked, and removed with a slice; they add up to 1. */
  readonly kept: Float32Array;
  readonly masked: Float32Array;
  readonly removed: Float32Array;
  /** Kept ÷ all elements of the original. */
  readonly density: number;
}

/** Options of a picture. */
export interface MaskPictureOptions {
  /** Maximum number of cells along a side; 96 by default. */
  readonly maxCells?: number;
}

/**
 * Draws the mask of a trainable tensor and its removed slices on the tensor's original shape. Tensors with more than
 * two axes are laid out as close to a square as joining neighbouring axes allows. Throws an EspalierError for a tensor
 * that the model does not have.
 */
export function maskPicture(
  model: Model,
  tensor: string,
  { maxCells = 96 }: MaskPictureOptions = {},
): MaskPicture {
  const spec = model.graph.tensors.find(({ name, role }) => name === tensor && role === "trainable");
  if (spec === undefined) throw new EspalierError(`the model has no trainable tensor "${tensor}".`);
  const { list, axes } = model.dimensions;
  const expressions = axes[spec.value]!;
  const original = expressions.map((e) => extentOf(e, (d) => originalSize(list[d]!)) as number);
  const { shape } = model.tensors.get(tensor)!;
  const mask = model.masks.get(tensor);
  const split = squarest(original);
  const [height, width] = [countElements(original.slice(0, split)), countElements(original.slice(split))];
  const [tall, wide] = [Math.ceil(height / maxCells), Math.ceil(width / maxCells)];
  const [rows, columns] = [Math.ceil(height / tall), Math.ceil(width / wide)];
  const [kept, masked, all] = [0, 1, 2].map(() => new Float32Array(rows * columns)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const cellOf = (r: number, c: number) => Math.floor(r / tall) * columns + Math.floor(c / wide);
  for (let r = 0; r < height; r++) for (let c = 0; c < width; c++) all[cellOf(r, c)]!++;
  // The remaining elements lie on a grid: original row and column of each pair of positions.
  const positions = expressions.map((e) => originalPositions(e, list));
  const atRow = joined(positions.slice(0, split), original.slice(0, split));
  const atColumn = joined(positions.slice(split), original.slice(split));
  let element = 0;
  let count = 0;
  for (const r of atRow) {
    for (const c of atColumn) {
      const cell = cellOf(r, c);
      if (mask === undefined || isKept(mask, element)) {
        kept[cell]!++;
        count++;
      } else masked[cell]!++;
      element++;
    }
  }
  const share = (counts: Float32Array) => counts.map((n, i) => n / all[i]!);
  const [keptShare, maskedShare] = [share(kept), share(masked)];
  return {
    tensor,
    original,
    shape,
    rows,
    columns,
    kept: keptShare,
    masked: maskedShare,
    removed: keptShare.map((k, i) => Math.max(0, 1 - k - maskedShare[i]!)),
    density: count / Math.max(1, height * width),
  };
}

/** Trainable tensors with two or more axes that pruning changed, in graph order. */
export function prunedTensors(model: Model): string[] {
  const { list, axes } = model.dimensions;
  return model.graph.tensors.flatMap(({ name, role, value }) => {
    const shrunk = axes[value]!.some(
      (e) => extentOf(e, (d) => originalSize(list[d]!)) !== extentOf(e, (d) => list[d]!.size),
    );
    const pruned = role === "trainable" && axes[value]!.length >= 2 && (shrunk || model.masks.has(name));
    return pruned ? [name] : [];
  });
}

/** The axis to split at, so that the two sides are as equal as possible. */
function squarest(shape: readonly number[]): number {
  const ratio = (split: number) =>
    Math.abs(Math.log(countElements(shape.slice(0, split)) / countElements(shape.slice(split))));
  let best = shape.length < 2 ? 0 : 1;
  for (let split = best + 1; split < shape.length; split++) if (ratio(split) < ratio(best)) best = split;
  return best;
}

/** Positions along several axes as positions along the axis that joins them. */
function joined(positions: readonly (readonly number[])[], extents: readonly number[]): number[] {
  return positions.reduce<number[]>(
    (outer, list, axis) => outer.flatMap((o) => list.map((p) => o * extents[axis]! + p)),
    [0],
  );
}
