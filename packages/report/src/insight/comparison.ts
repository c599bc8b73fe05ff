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
import type { Table } from "../table.ts";
import type { Comparison, Side } from "./insight.ts";

/** The effect of pruning, one row per figure. */
export function comparisonTable({ before, after, untuned, time }: Comparison): Table {
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
      ...row("parameters", ({ counts }) => counts.parameters.total, formatCount),
      ...(before.counts.parameters.dead > 0
        ? row("of them dead", ({ counts }) => counts.parameters.dead, formatCount)
        : []),
      ...row("not zero", ({ counts }) => counts.parameters.nonzero, formatCount),
      ["sparsity", formatShare(before.sparsity, 1), formatShare(after.sparsity, 1), ""],
      ...row("FLOPs, zeros skipped", ({ counts }) => counts.flops.effective, formatFlops),
      ...row("bytes as stored", ({ counts }) => counts.bytes.stored, formatBytes),
      ...row("bytes on disk", ({ fileBytes }) => fileBytes, formatBytes),
      ...(["mse", "mae"] as const).flatMap((metric) => [
        ...row(`test ${metric.toUpperCase()}`, ({ test }) => test?.[metric], formatError),
        ...(untuned === undefined || before.test === undefined
          ? []
          : [
              [
                "before tuning",
                "",
                formatError(untuned[metric]),
                formatChange(untuned[metric] / before.test[metric]),
              ],
            ]),
      ]),
      ...(time === undefined
        ? []
        : [
            [
              "time per run",
              formatTime(time.dense.median),
              formatTime(time.pruned.median),
              `${formatSpeedupStat({ mean: time.speedup, spread: time.speedupSpread })} as fast`,
            ],
          ]),
    ],
  };
}
