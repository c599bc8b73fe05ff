import { maskFrom } from "../model/mask.ts";
import { type MatrixView, matrixViews } from "../model/matrix.ts";
import type { Model } from "../model/model.ts";
import type { MaskStep } from "./plan.ts";
import { keptScores } from "./weights.ts";

/** How weights within runs are ranked. */
export interface RunMaskOptions {
  /** Share of every run to mask, in [0, 1). */
  readonly amount: number;
  /**
   * Number of consecutive inputs of one output that are compared with each other: `m` of an n:m pattern, of which at
   * least `n` stay (Mishra et al., 2021). Absent for whole rows, all weights of one output (Sun et al., ICLR 2024).
   */
  readonly pattern?: { readonly n: number; readonly m: number };
}

/**
 * Masks the same share of every run of weights, lowest scores first; ties are broken by index order. Runs follow the
 * axis that the tensor's product contracts; for a convolution's weight [out, in, taps], the inputs of each tap.
 */
export function maskWithinRuns(
  model: Model,
  scores: ReadonlyMap<string, Float32Array>,
  { amount, pattern }: RunMaskOptions,
): MaskStep[] {
  const views = matrixViews(model, [...scores.keys()]);
  return [...scores].flatMap(([name, given]) => {
    const { shape } = model.tensors.get(name)!;
    const own = keptScores(model, name, given);
    const view = views.get(name)!;
    const keep = new Uint8Array(own.length).fill(1);
    for (const run of runsOf(view, pattern?.m)) {
      dropWeakest(own, keep, run, removedOf(run.length, amount, pattern));
    }
    const removed = keep.length - keep.reduce((n, bit) => n + bit, 0);
    if (removed === 0) return [];
    const because =
      pattern === undefined ? `${removed} weakest of their rows` : `${pattern.n} of ${pattern.m} stay`;
    const mask = maskFrom(shape, (i) => keep[i] === 1);
    return [{ do: "mask", parameter: name, keep: mask, because }];
  });
}

/** The elements of every run: a whole row, or `m` neighbours at a time. The returned array is reused. */
function* runsOf({ matrices, rows, columns, neighbours }: MatrixView, m: number | undefined) {
  const length = m === undefined ? columns.length : Math.min(m, neighbours);
  const block = m === undefined ? columns.length : neighbours;
  const elements = new Uint32Array(length);
  for (const matrix of matrices) {
    for (const row of rows) {
      for (let from = 0; from < columns.length; from += block) {
        for (let start = 0; start < block; start += length) {
          const end = Math.min(start + length, block);
          for (let i = start; i < end; i++) elements[i - start] = matrix + row + columns[from + i]!;
          yield elements.subarray(0, end - start);
        }
      }
    }
  }
}

/** A run that the end of the row cuts short loses no larger share than a whole one may. */
function removedOf(length: number, amount: number, pattern: RunMaskOptions["pattern"]): number {
  const maxRemoved =
    pattern === undefined ? length - 1 : Math.floor((length * (pattern.m - pattern.n)) / pattern.m);
  return Math.min(maxRemoved, Math.round(amount * length));
}

/** Clears `keep` for the lowest scores of a run. Short runs are searched in place, because a model has millions of them. */
function dropWeakest(scores: Float32Array, keep: Uint8Array, run: Uint32Array, count: number): void {
  if (run.length > 32) {
    const order = run.slice().sort((a, b) => scores[a]! - scores[b]! || a - b);
    for (const i of order.subarray(0, count)) keep[i] = 0;
    return;
  }
  for (let dropped = 0; dropped < count; dropped++) {
    let lowest = -1;
    for (const i of run) {
      if (keep[i] === 1 && (lowest < 0 || scores[i]! < scores[lowest]!)) lowest = i;
    }
    keep[lowest] = 0;
  }
}
