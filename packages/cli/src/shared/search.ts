import type { Tried } from "@espalier/core";
import { formatShare } from "@espalier/report/text";
import type { Bar } from "../output/progress.ts";

/** Seconds after which the pace is reliable. */
const settled = 1;

/** Shows a bar over the search for a target, and a line for each timed plan. */
export function showSearch(bar: Bar): (tried: Tried) => void {
  let start = performance.now();
  let before = 0;
  let timed = 0;
  return ({ amount, progress, latency }) => {
    // A stage that counts is followed by one that measures.
    if (progress < before) start = performance.now();
    before = progress;
    const seconds = (performance.now() - start) / 1000;
    const remaining = seconds < settled || progress === 0 ? null : (seconds * (1 - progress)) / progress;
    bar.update({ label: latency === undefined ? "plan" : "measure", share: progress, remaining });
    if (latency === undefined) return;
    timed++;
    const number = `${timed}`.padStart(2);
    const { share, spread } = latency;
    bar.line(
      `try ${number}  amount ${amount.toFixed(4)}  ${formatShare(share, 1)} of the time, ± ${formatShare(spread, 1)}`,
    );
  };
}
