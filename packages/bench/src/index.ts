export { type BackendTimes, backendTasks, measureBackends } from "./measure/backends.ts";
export { type LatencyOptions, type LatencyResult, measureLatency } from "./measure/latency.ts";
export { type DenseMeter, latencyMeter, type MeterOptions } from "./measure/meter.ts";
export { findPreset, presets } from "./presets/index.ts";
export { environment, machine } from "./results/environment.ts";
export { openResults, parseResults, type ResultsFile, readResults } from "./results/file.ts";
export { type DocumentKind, parseDocument } from "./results/parse.ts";
export * from "./results/records.ts";
export { packageVersions } from "./results/versions.ts";
export { withAvailableBackends } from "./sweep/backends.ts";
export { type CellContext, CellRunner } from "./sweep/cell-runner.ts";
export { type CellStore, NeededCellFailed } from "./sweep/cell-store.ts";
export {
  type Cell,
  cellId,
  cellsOf,
  type DataConfig,
  denseCell,
  type LatencyCell,
  labelOf,
  type ModelCell,
  type PruneCell,
  procedureOf,
  type RecipeCell,
  recipeOf,
  type SensitivityCell,
  type StrategyCell,
  stableKey,
  type TrainCell,
} from "./sweep/cells.ts";
export {
  cellKinds,
  parseSweepConfig,
  readSweepConfig,
  type SweepConfig,
  type SweepInput,
  type SweepRecipe,
  sweepJsonSchema,
  type TrainingConfig,
  type TuningConfig,
} from "./sweep/config.ts";
export { loadSweepConfig } from "./sweep/load.ts";
export { createSweepPace, type SweepPace } from "./sweep/pace.ts";
export { type PlannedCell, planSweep, type SweepPlan } from "./sweep/plan.ts";
export { readCell, travellingSteps } from "./sweep/read-cell.ts";
export { type CellEvent, lockSweep, runSweep, type SweepOptions, type SweepResult } from "./sweep/run.ts";
export { type DataPlaces, SweepData } from "./sweep/sweep-data.ts";
export { type Check, type TrainedOptions, verify, verifyReference, verifyTrained } from "./verify/index.ts";
