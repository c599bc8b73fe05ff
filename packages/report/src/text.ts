/** Numbers and tables as reports write them, without anything that draws: for terminals and pages. */
export { comparisonTable, type Formats } from "./insight/comparison.ts";
export type { Comparison, Insight, Side } from "./insight/insight.ts";
export {
  formatBytes,
  formatChange,
  formatCount,
  formatError,
  formatFlops,
  formatShare,
  formatSpeedup,
  formatSpeedupStat,
  formatTime,
  withSpread,
} from "./numbers.ts";
export type { Column, Table } from "./tables.ts";
