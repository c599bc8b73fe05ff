import { countElements } from "../graph/extent.ts";

/** What is masked together: a single weight, or a block of rows × columns of the last two axes (outputs × inputs). */
export type Block = readonly [rows: number, columns: number];

/** A tensor cut into units that are masked together, numbered row-major. Blocks at the edges may be smaller. */
export interface Tiling {
  readonly units: number;
  /** The unit of an element. */
  unitOf(index: number): number;
}

/** Cuts a shape of two or more axes into blocks; leading axes are cut apart. */
export function tile(shape: readonly number[], [rows, columns]: Block): Tiling {
  if (rows === 1 && columns === 1) return { units: countElements(shape), unitOf: (index) => index };
  const [height, width] = [shape.at(-2)!, shape.at(-1)!];
  const across = Math.ceil(width / columns);
  const down = Math.ceil(height / rows);
  return {
    units: countElements(shape.slice(0, -2)) * down * across,
    unitOf(index) {
      const row = Math.floor(index / width);
      const matrix = Math.floor(row / height);
      const block = matrix * down + Math.floor((row % height) / rows);
      return block * across + Math.floor((index % width) / columns);
    },
  };
}

/** Mean score of every unit's elements that are still kept; −1 where none is. */
export function unitScores(scores: Float32Array, { units, unitOf }: Tiling): Float32Array {
  if (units === scores.length) return scores;
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
