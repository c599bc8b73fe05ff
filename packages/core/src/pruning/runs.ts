import { maskFrom } from "../model/mask.ts";
import type { Model } from "../model/model.ts";
import type { MaskStep } from "./plan.ts";
import { keptScores } from "./weights.ts";

/** How weights within runs are ranked. */
export interface RunMaskOptions {
  /** Share of every run to mask, in [0, 1). */
  readonly amount: number;
  /**
   * Consecutive weights along the last axis (inputs) that are compared with each other: `m` of an n:m pattern, of which
   * `n` stay at least (Mishra et al., 2021); absent for whole rows, one output's weights (Sun et al., ICLR 2024).
   */
  readonly pattern?: { readonly n: number; readonly m: number };
}

/** Masks the same share of every run of weights, lowest scores first; ties go in index order. */
export function maskWithinRuns(
  model: Model,
  scores: ReadonlyMap<string, Float32Array>,
  { amount, pattern }: RunMaskOptions,
): MaskStep[] {
  return [...scores].flatMap(([name, given]) => {
    const { shape } = model.tensors.get(name)!;
    const own = keptScores(model, name, given);
    const width = shape.at(-1)!;
    const run = pattern?.m ?? width;
    const keep = new Uint8Array(own.length).fill(1);
    for (let row = 0; row < own.length; row += width) {
      for (let start = 0; start < width; start += run) {
        const length = Math.min(run, width - start);
        const remove = removedOf(length, amount, pattern);
        dropWeakest(own, keep, row + start, length, remove);
      }
    }
    const removed = keep.length - keep.reduce((n, bit) => n + bit, 0);
    if (removed === 0) return [];
    const because =
      pattern === undefined ? `${removed} weakest of their rows` : `${pattern.n} of ${pattern.m} stay`;
    const mask = maskFrom(shape, (i) => keep[i] === 1);
    return [
      { do: "mask", parameter: name, keep: mask, ...(pattern === undefined ? {} : { pattern }), because },
    ];
  });
}

/** A run that is cut short by the row's end loses no larger share than a whole one may. */
function removedOf(length: number, amount: number, pattern: RunMaskOptions["pattern"]): number {
  const most =
    pattern === undefined ? length - 1 : Math.floor((length * (pattern.m - pattern.n)) / pattern.m);
  return Math.min(most, Math.round(amount * length));
}

/** Clears `keep` for the lowest scores of a run. Short runs are searched in place: a model has millions of them. */
function dropWeakest(
  scores: Float32Array,
  keep: Uint8Array,
  start: number,
  length: number,
  count: number,
): void {
  if (length > 32) {
    const order = Uint32Array.from({ length }, (_, i) => start + i);
    order.sort((a, b) => scores[a]! - scores[b]! || a - b);
    for (const i of order.subarray(0, count)) keep[i] = 0;
    return;
  }
  for (let dropped = 0; dropped < count; dropped++) {
    let lowest = -1;
    for (let i = start; i < start + length; i++) {
      if (keep[i] === 1 && (lowest < 0 || scores[i]! < scores[lowest]!)) lowest = i;
    }
    keep[lowest] = 0;
  }
}
