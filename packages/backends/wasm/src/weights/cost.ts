import { calibration } from "./calibration.ts";

/**
 * How a weight is stored for its product. `panels`: dense. `rows`: nonzero weights of each output. `pairs`, `quads`:
 * blocks of 2 or 4 outputs × 1 input in which some weight is not zero.
 */
export type Format = "panels" | "rows" | "pairs" | "quads";
export const formats: readonly Format[] = ["panels", "rows", "pairs", "quads"];

/** Weights and blocks of a matrix W[N, K] that are not zero throughout. */
export interface Pattern {
  readonly N: number;
  readonly K: number;
  readonly nonzero: number;
  readonly pairs: number;
  readonly quads: number;
}

/** Nanoseconds on the calibrated machine: each block (of a panel: each weight) for one vector of tokens, each block itself, each row. */
export interface Rates {
  readonly perVector: number;
  readonly perBlock: number;
  readonly perRow: number;
}

/** Weights, or blocks of weights, that a format visits. */
export function blocksOf(format: Format, pattern: Pattern, panelRows: number): number {
  const { N, K, nonzero, pairs, quads } = pattern;
  if (format === "panels") return Math.ceil(N / panelRows) * panelRows * K;
  return format === "rows" ? nonzero : format === "pairs" ? pairs : quads;
}

/** The cheapest format, or the one given, and what its product is expected to cost. */
export function chooseFormat(
  pattern: Pattern,
  vectors: number,
  panelRows: number,
  only?: Format,
): { format: Format; cost: number } {
  let best: { format: Format; cost: number } | undefined;
  for (const format of only === undefined ? formats : [only]) {
    const { perVector, perBlock, perRow } = calibration.rates[format];
    const cost = blocksOf(format, pattern, panelRows) * (perVector * vectors + perBlock) + pattern.N * perRow;
    if (best === undefined || cost < best.cost) best = { format, cost };
  }
  return best!;
}

/** Whether a gradient is cheaper weight by weight, where its mask is open, than as one dense product. */
export function prefersMaskedGradient(density: number, tokens: number): boolean {
  const { masked, dense } = calibration.gradients;
  const vectors = Math.ceil(tokens / 4);
  return (
    density * (masked.perVector * vectors + masked.perBlock) < dense.perVector * vectors + dense.perBlock
  );
}
