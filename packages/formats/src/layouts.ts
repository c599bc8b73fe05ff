import type { TensorData } from "@espalier/core";
import {
  type DftAttributes,
  dftMatrix,
  type Extent,
  elementsOf,
  type GatherNDAttributes,
  type Shape,
} from "@espalier/core/graph";

/** Layouts of values for formats whose operators know fewer axes than core's. */

/** A permutation for Transpose that moves axis `from` to `to` and keeps the order of the others. */
export function movedAxis(rank: number, from: number, to: number): number[] {
  return Array.from({ length: rank }, (_, axis) => axis)
    .toSpliced(from, 1)
    .toSpliced(to, 0, from);
}

/** The axes before an axis, the axis, and the axes after it, each merged into one. */
export function aroundAxis(shape: Shape, axis: number): readonly [Extent, number, Extent] {
  return [elementsOf(shape.slice(0, axis)), shape[axis] as number, elementsOf(shape.slice(axis + 1))];
}

/**
 * The axes that data and index tuples share, merged into one axis `lead`, and all tuples of one position merged into
 * another.
 */
export interface TupleLayout {
  readonly lead: Extent;
  /** [lead, …]. */
  readonly data: Shape;
  /** [lead, tuples, size of a tuple]. */
  readonly indices: Shape;
  /** [lead, tuples, …]: the slices that the tuples point to. */
  readonly picked: Shape;
}

/**
 * The layout that expresses GatherND and ScatterND with batch axes in formats without them: the position along `lead`
 * is put in front of each tuple.
 */
export function tupleLayout(data: Shape, indices: Shape, { batchDims }: GatherNDAttributes): TupleLayout {
  const lead = elementsOf(data.slice(0, batchDims));
  const tuples = elementsOf(indices.slice(batchDims, -1));
  const size = indices.at(-1) as number;
  return {
    lead,
    data: [lead, ...data.slice(batchDims)],
    indices: [lead, tuples, size],
    picked: [lead, tuples, ...data.slice(batchDims + size)],
  };
}

/** A Fourier transform as one matrix product: Transpose, Reshape, MatMul, Reshape, Transpose. */
export interface DftLayout {
  /** Moves the axis next to the last one, which holds real and imaginary part. */
  readonly perm: readonly number[];
  /** [rows, positions · parts]. */
  readonly rows: Shape;
  readonly matrix: TensorData;
  /** Equal names denote the same matrix. */
  readonly matrixName: string;
  /** The result with axes in the order of `perm`. */
  readonly spread: Shape;
  /** Undoes `perm`. */
  readonly back: readonly number[];
}

export function dftLayout(before: Shape, after: Shape, attributes: DftAttributes): DftLayout {
  const { axis, inverse, onesided, length } = attributes;
  const rank = before.length;
  const parts = before.at(-1) as number;
  const rest = before.slice(0, -1).toSpliced(axis, 1);
  const [inputs, outputs] = [before, after].map(
    (shape) => (shape[axis] as number) * (shape.at(-1) as number),
  ) as [number, number];
  const data = Float32Array.from(dftMatrix(attributes, parts));
  return {
    perm: movedAxis(rank, axis, rank - 2),
    rows: [elementsOf(rest), inputs],
    matrix: { dtype: "float32", shape: [inputs, outputs], data },
    matrixName: `dft/${inverse ? "inverse" : "forward"}/${onesided ? "onesided/" : ""}${length}/${parts}`,
    spread: [...rest, after[axis]!, after.at(-1)!],
    back: movedAxis(rank, rank - 2, axis),
  };
}
