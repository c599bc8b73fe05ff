import { calibration } from "./calibration.ts";
import { type Format, formats } from "./format.ts";

/** Weights and blocks of a matrix W[N, K] that are not zero throughout. */
export interface Pattern {
  readonly N: number;
  readonly K: number;
  readonly nonzero: number;
  readonly pairs: number;
  readonly quads: number;
}

/** Weights, or blocks of weights, that a format visits. */
function blocksOf(format: Format, pattern: Pattern, panelRows: number): number {
  const { N, K, nonzero, pairs, quads } = pattern;
  if (format === "panels") return Math.ceil(N / panelRows) * panelRows * K;
  return format === "rows" ? nonzero : format === "pairs" ? pairs : quads;
}

/** Vectors of tokens that each format's kernel takes in one pass over the weight, at most. */
const passWidth: Readonly<Record<Format, number>> = { panels: 2, rows: 6, pairs: 6, quads: 2 };

/** Outputs that share a row of blocks. */
const rowsOfBlocks = (format: Format, N: number, panelRows: number) =>
  Math.ceil(N / { panels: panelRows, rows: 1, pairs: 2, quads: 4 }[format]);

/** The terms of a product's time: blocks × vectors, blocks × passes, rows of blocks × passes. */
export function countsOf(
  format: Format,
  pattern: Pattern,
  tokens: number,
  panelRows: number,
): readonly [number, number, number] {
  const blocks = blocksOf(format, pattern, panelRows);
  const vectors = Math.ceil(tokens / 4);
  const passes = Math.ceil(vectors / passWidth[format]);
  return [blocks * vectors, blocks * passes, rowsOfBlocks(format, pattern.N, panelRows) * passes];
}

/** What panels cost for one token, of what they cost for the four of a vector: the kernel is another one (0.39 … 0.47 on Zen 3). */
export const tokenShare = 0.4;

/** The cheapest of some formats, and what its product is expected to cost. */
export function chooseFormat(
  pattern: Pattern,
  tokens: number,
  panelRows: number,
  candidates: readonly Format[] = formats,
): { format: Format; cost: number } {
  let best: { format: Format; cost: number } | undefined;
  for (const format of candidates) {
    const { perVector, perBlock, perRow } = calibration.rates[format];
    const [forVectors, forBlocks, forRows] = countsOf(format, pattern, tokens, panelRows);
    const all = forVectors * perVector + forBlocks * perBlock + forRows * perRow;
    const cost = format === "panels" && tokens === 1 ? tokenShare * all : all;
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
