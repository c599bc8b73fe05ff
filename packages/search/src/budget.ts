import type { View } from "./findings.ts";
import type { SearchRecord, Task } from "./records.ts";
import { rungsOf } from "./settings.ts";

/** The limits of a search; it ends at the first that is reached. */
export interface Budget {
  /** Fine-tunings of candidates; one whose recipe is impossible counts. */
  readonly evaluations?: number | undefined;
  readonly seconds?: number | undefined;
}

/** What has been used up, and what is to come. */
export interface Usage {
  readonly records: readonly SearchRecord[];
  readonly view: View;
  /** The fine-tunings that count: those that have ended, or those in flight, too. */
  readonly tasks: readonly Task[];
  /** Fine-tunings that run at the same time. */
  readonly places: number;
}

/** The share of the budget that is used up. What repeating the chosen recipe will take counts as used. */
export function spentOf({ evaluations, seconds }: Budget, { records, view, tasks, places }: Usage): number {
  const { candidates, header } = view;
  const impossible = candidates.filter(({ error }) => error !== undefined);
  const done = tasks.filter(({ of, seed }) => typeof of === "number" && seed === header.settings.seed);
  const counted = evaluations === undefined ? 0 : (done.length + impossible.length) / evaluations;
  if (seconds === undefined) return counted;
  return Math.max(counted, (secondsOfAll(records) + toRepeat(seconds, view, places)) / seconds);
}

/** Seconds of all work so far; with a queue, seconds that passed. */
function secondsOfAll(records: readonly SearchRecord[]): number {
  return records.reduce(
    (sum, record) => sum + ("seconds" in record ? (record.elapsed ?? record.seconds) : 0),
    0,
  );
}

/**
 * Seconds that full fine-tunings at the end will take, at the pace of the fastest candidate so far: a short trial takes
 * longer per epoch, because of its pruning. At most half of the budget.
 */
function toRepeat(budget: number, { finished, header: { settings }, top }: View, places: number): number {
  if (finished.length === 0) return 0;
  const pace = Math.min(...finished.map(({ seconds, epochs }) => seconds / epochs));
  const full = finished.some(({ rung }) => rung === top);
  const rounds = Math.ceil((settings.repeats - (full ? 1 : 0)) / places);
  return Math.min(rounds * pace * rungsOf(settings).at(-1)!, budget / 2);
}
