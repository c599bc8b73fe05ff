export {
  dataOf,
  inputsFrom,
  type ModelData,
  type WindowShape,
  windowShapeOf,
  withData,
} from "@espalier/datasets";
export {
  type Baselines,
  baselines,
  type Comparison,
  compared,
  type Mase,
  maseOf,
  unitsDiffer,
} from "./baseline.ts";
export { batchesOf } from "./batches.ts";
export { type FitOrigin, TrainingCheckpoint } from "./checkpoint.ts";
export { type CollectorOptions, collector } from "./collect.ts";
export { type Curve, curveNames, leftAt } from "./curve.ts";
export type { EpochRecord } from "./epoch.ts";
export { type EvaluateOptions, evaluate, evaluateProgram } from "./evaluate.ts";
export { fit } from "./fit.ts";
export type { FitRequest, FitResult, Teacher } from "./fit-request.ts";
export { type GradualPruning, gradualSchema } from "./gradual.ts";
export { ErrorSums, type Errors, type Metrics } from "./metrics.ts";
export { type FittedDataOptions, forecastingDataFor } from "./model-data.ts";
export {
  type FitOptions,
  type FitSettings,
  mostEpochs,
  type RegrowSettings,
  readSettings,
  settingsSchema,
} from "./options.ts";
export { createPause } from "./pause.ts";
export { predict } from "./predict.ts";
export { type OnProgress, type Progress, progressReporter } from "./progress.ts";
export {
  type PruneAndReconstructRequest,
  pruneAndReconstruct,
  type ReconstructSettings,
  reconstructSchema,
} from "./prune-and-reconstruct.ts";
export {
  type AdamSettings,
  defaultAdam,
  drawTrainingStep,
  optimiserPrefix,
  type TrainingStep,
  type TrainingStepOptions,
} from "./training-step.ts";
