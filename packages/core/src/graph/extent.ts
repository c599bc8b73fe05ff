import { ShapeError } from "../errors.ts";
/**
 * The length of an axis: an integer, or an integer multiple of the symbolic batch size. Shapes and attributes use the
 * same type, so that no drawing fixes the batch size.
 */
export type Extent = number | BatchExtent;

/** `batch` times the batch size. */
export interface BatchExtent {
  readonly batch: number;
}

/** The extent of a plain batch axis. */
export const batch: BatchExtent = Object.freeze({ batch: 1 });

/** Extents of a value's axes, outermost first. */
export type Shape = readonly Extent[];

/** Whether an extent is a multiple of the batch size. */
export function isBatch(extent: Extent): extent is BatchExtent {
  return typeof extent !== "number";
}

/** The integer factor: 7 for `7` and for `7·batch`. */
export function factorOf(extent: Extent): number {
  return isBatch(extent) ? extent.batch : extent;
}

/** Whether two extents are equal at every batch size. */
export function sameExtent(a: Extent, b: Extent): boolean {
  return isBatch(a) === isBatch(b) && factorOf(a) === factorOf(b);
}

/** Whether two shapes are equal at every batch size. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => sameExtent(extent, b[axis]!));
}

/** Product of two extents; batch × batch has no meaning and is an error. */
export function timesExtent(a: Extent, b: Extent): Extent {
  if (isBatch(a) && isBatch(b)) throw new ShapeError("an extent cannot hold the batch size twice");
  const factor = factorOf(a) * factorOf(b);
  return isBatch(a) || isBatch(b) ? { batch: factor } : factor;
}

/** `a / b` if that is an extent again, otherwise undefined. */
export function divideExtent(a: Extent, b: Extent): Extent | undefined {
  if (isBatch(b) && !isBatch(a)) return undefined;
  const factor = factorOf(a) / factorOf(b);
  if (!Number.isInteger(factor)) return undefined;
  return isBatch(a) && !isBatch(b) ? { batch: factor } : factor;
}

/** Sum of extents; a batch axis and a plain one cannot be joined. */
export function addExtents(extents: readonly Extent[]): Extent {
  const factor = extents.reduce<number>((sum, extent) => sum + factorOf(extent), 0);
  const batched = extents.filter(isBatch).length;
  if (batched === 0) return factor;
  if (batched !== extents.length) throw new ShapeError("a batch axis cannot be joined with a plain one");
  return { batch: factor };
}

/** Number of elements, as an extent. */
export function elementsOf(shape: Shape): Extent {
  return shape.reduce<Extent>(timesExtent, 1);
}

/** The value of an extent at a batch size. */
export function resolveExtent(extent: Extent, batchSize: number): number {
  return isBatch(extent) ? extent.batch * batchSize : extent;
}

/** The extents of a shape at a batch size. */
export function resolveShape(shape: Shape, batchSize: number): number[] {
  return shape.map((extent) => resolveExtent(extent, batchSize));
}

/** Number of elements of a shape without a batch; 1 for a scalar. */
export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Formats a shape for messages: `[batch, 7, 2·batch]`. */
export function printShape(shape: Shape): string {
  const parts = shape.map((extent) =>
    isBatch(extent) ? (extent.batch === 1 ? "batch" : `${extent.batch}·batch`) : `${extent}`,
  );
  return `[${parts.join(", ")}]`;
}

/** NumPy's broadcast of two shapes, or undefined if they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const result: Extent[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (sameExtent(left, right) || right === 1) result.push(left);
    else if (left === 1) result.push(right);
    else return undefined;
  }
  return result;
}

/** Resolves a negative axis, counted from the end as in ONNX. Throws if there is no such axis. */
export function normalizeAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new ShapeError(`axis ${axis} does not exist in a value of rank ${rank}`);
  }
  return positive;
}
