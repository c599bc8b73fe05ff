import type { MatrixView } from "../model/matrix.ts";

/** The unit of masking: a single weight, or a block of rows × columns (outputs × inputs). */
export type Block = readonly [rows: number, columns: number];

/** A tensor divided into blocks that are masked as a whole. Those at the edges may be smaller. */
export interface Tiling {
  readonly units: number;
  /** The block of an element. */
  unitOf(index: number): number;
}

/** Divides the matrices of a tensor into blocks, numbered row-major. */
export function tile({ matrices, rows, columns }: MatrixView, [height, width]: Block): Tiling {
  const across = Math.ceil(columns.length / width);
  const down = Math.ceil(rows.length / height);
  const unit = new Uint32Array(matrices.length * rows.length * columns.length);
  matrices.forEach((matrix, m) => {
    rows.forEach((row, r) => {
      const first = (m * down + Math.floor(r / height)) * across;
      for (let c = 0; c < columns.length; c++) {
        unit[matrix + row + columns[c]!] = first + Math.floor(c / width);
      }
    });
  });
  return { units: matrices.length * down * across, unitOf: (index) => unit[index]! };
}

/** Mean score of the elements of every block that are still kept; −1 if none is. */
export function unitScores(scores: Float32Array, { units, unitOf }: Tiling): Float32Array {
  const sums = new Float64Array(units);
  const counts = new Uint32Array(units);
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! < 0) continue;
    const unit = unitOf(i);
    sums[unit]! += scores[i]!;
    counts[unit]!++;
  }
  return Float32Array.from(sums, (sum, unit) => (counts[unit] === 0 ? -1 : sum / counts[unit]!));
}
