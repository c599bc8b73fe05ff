export { type ClaimedResults, claimsMarkdown } from "./claims/index.ts";
export { comparisonTable } from "./insight/document.ts";
export type { Comparison, Insight, Side } from "./insight/insight.ts";
export { type WriteInsightOptions, writeInsight } from "./insight/write.ts";
export { type BackendTimes, backendTasks, measureBackends } from "./measure/backends.ts";
export { type LatencyOptions, type LatencyResult, measureLatency } from "./measure/latency.ts";
export { type DenseMeter, latencyMeter, type MeterOptions } from "./measure/meter.ts";
export {
  isComparison,
  type PeerResults,
  parsePeerResults,
  peersDocument,
  peersSummaryLines,
  type Verdict,
  verdicts,
  writePeersReport,
} from "./peers/index.ts";
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
} from "./sweep/config.ts";
export { type CellEvent, runSweep, type SweepOptions, type SweepResult } from "./sweep/run.ts";
export { type Check, type TrainedOptions, verify, verifyReference, verifyTrained } from "./verify/index.ts";
