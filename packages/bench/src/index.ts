export { type ClaimedResults, claimsMarkdown } from "./claims/index.ts";
export { comparisonTable } from "./insight/document.ts";
export type { Comparison, Insight, Side } from "./insight/insight.ts";
export { type WriteInsightOptions, writeInsight } from "./insight/write.ts";
export { type LatencyOptions, type LatencyResult, measureLatency } from "./measure/latency.ts";
export { type PeerResults, parsePeerResults, peersDocument, type Verdict, verdicts } from "./peers/index.ts";
export { findPreset, presets } from "./presets/index.ts";
export { summaryLines } from "./report/summary.ts";
export { type ReportOptions, type WrittenReport, writeReport } from "./report/write.ts";
export { environment } from "./results/environment.ts";
export { openResults, parseResults, type ResultsFile, readResults } from "./results/file.ts";
export * from "./results/records.ts";
export { withAvailableBackends } from "./sweep/backends.ts";
export {
  type Cell,
  cellId,
  cellsOf,
  type DataConfig,
  type LatencyCell,
  labelOf,
  type PruneCell,
  type SensitivityCell,
  type TrainCell,
} from "./sweep/cells.ts";
export {
  parseSweepConfig,
  readSweepConfig,
  type SweepConfig,
  type SweepInput,
  sweepJsonSchema,
  type TrainingConfig,
  type UseConfig,
} from "./sweep/config.ts";
export { drawModel, optionError } from "./sweep/draw.ts";
export { createRegistry, type Registry } from "./sweep/registry.ts";
export { type CellEvent, runSweep, type SweepOptions, type SweepResult } from "./sweep/run.ts";
export { type Check, type TrainedOptions, verify, verifyReference, verifyTrained } from "./verify/index.ts";
