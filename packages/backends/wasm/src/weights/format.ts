/**
 * How a weight is stored for its product. `panels`: dense. `rows`: nonzero weights of each output. `pairs`, `quads`:
 * blocks of 2 or 4 outputs × 1 input in which some weight is not zero.
 */
export type Format = "panels" | "rows" | "pairs" | "quads";
export type SparseFormat = Exclude<Format, "panels">;
export const formats: readonly Format[] = ["panels", "rows", "pairs", "quads"];

/** Nanoseconds on the calibrated machine: of each block for one vector of tokens; of each block, and each row of blocks, for one pass. */
export interface Rates {
  readonly perVector: number;
  readonly perBlock: number;
  readonly perRow: number;
}
