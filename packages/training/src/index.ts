export { type FitOrigin, TrainingCheckpoint } from "./checkpoint.ts";
export { type CollectorOptions, collector } from "./collect.ts";
export { type EvaluateOptions, evaluate, evaluateProgram } from "./evaluate.ts";
export { type EpochRecord, type FitRequest, type FitResult, fit, type Teacher } from "./fit.ts";
export { forecastNext } from "./forecast.ts";
export { batchesOf, inputsFrom } from "./inputs.ts";
export { ErrorSums, type Errors, type Metrics } from "./metrics.ts";
export {
  dataOf,
  type FittedDataOptions,
  forecastingDataFor,
  type ModelData,
  type WindowShape,
  windowShapeOf,
  withData,
} from "./model-data.ts";
export { type FitOptions, type FitSettings, readSettings } from "./options.ts";
export { createPause } from "./pause.ts";
export { predict } from "./predict.ts";
export { type OnProgress, type Progress, progressReporter } from "./progress.ts";
export {
  type Curve,
  iterativeTargets,
  type PruneAndTuneRequest,
  type PruneAndTuneResult,
  pruneAndTune,
  type Stage,
  type StageResult,
} from "./schedule.ts";
export {
  type AdamSettings,
  defaultAdam,
  drawTrainingStep,
  optimiserPrefix,
  type TrainingStep,
  type TrainingStepOptions,
} from "./training-step.ts";
