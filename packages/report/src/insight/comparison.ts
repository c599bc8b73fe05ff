import {
  formatBytes,
  formatChange,
  formatCount,
  formatError,
  formatFlops,
  formatShare,
  formatSpeedupStat,
  formatTime,
} from "../numbers.ts";
import type { Table } from "../tables.ts";
import type { Comparison, Side } from "./insight.ts";

/** How numbers of each kind are written. */
export interface Formats {
  readonly count: (n: number) => string;
  readonly flops: (n: number) => string;
  readonly bytes: (n: number) => string;
}

const reportFormats: Formats = { count: formatCount, flops: formatFlops, bytes: formatBytes };

/** What pruning changed, a row a figure. */
export function comparisonTable(
  { before, after, time }: Comparison,
  { count, flops, bytes }: Formats = reportFormats,
): Table {
  const row = (name: string, of: (side: Side) => number | undefined, format: (n: number) => string) => {
    const [a, b] = [of(before), of(after)];
    return a === undefined || b === undefined ? [] : [[name, format(a), format(b), formatChange(b / a)]];
  };
  return {
    caption: time === undefined ? "Before and after" : `Time on ${time.backend}, batch ${time.batch}`,
    columns: [
      { label: "" },
      { label: "before", numeric: true },
      { label: "after", numeric: true },
      { label: "change", numeric: true },
    ],
    rows: [
      ...row("parameters", ({ counts }) => counts.parameters.total, count),
      ...(before.counts.parameters.dead > 0
        ? row("of them dead", ({ counts }) => counts.parameters.dead, count)
        : []),
      ...row("not zero", ({ counts }) => counts.parameters.nonzero, count),
      ["sparsity", formatShare(before.sparsity, 1), formatShare(after.sparsity, 1), ""],
      ...row("FLOPs, zeros skipped", ({ counts }) => counts.flops.effective, flops),
      ...row("bytes as stored", ({ counts }) => counts.bytes.stored, bytes),
      ...row("test MSE", ({ test }) => test?.mse, formatError),
      ...row("test MAE", ({ test }) => test?.mae, formatError),
      ...(time === undefined
        ? []
        : [
            [
              "time of a run",
              formatTime(time.dense.median),
              formatTime(time.pruned.median),
              `${formatSpeedupStat({ mean: time.speedup, spread: time.speedupSpread })} as fast`,
            ],
          ]),
    ],
  };
}
