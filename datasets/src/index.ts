export { type CatalogueEntry, catalogue, findDataset } from "./catalogue.ts";
export { nextTimestamps, withFutureRows } from "./continue.ts";
export type { CsvOptions } from "./csv/options.ts";
export { parseCsv } from "./csv/parse.ts";
export type { TableAndReport } from "./csv/reader.ts";
export { formatCsv } from "./csv/write.ts";
export {
  type ForecastingData,
  type ForecastingOptions,
  forecastingDataOf,
  type LoadedDataset,
} from "./forecasting.ts";
export { inputsFrom } from "./inputs.ts";
export { type MissingReport, type MissingRule, missingRules } from "./missing.ts";
export { dataOf, type ModelData, type WindowShape, windowShapeOf, withData } from "./model-data.ts";
export {
  fitScaler,
  type ScaleKind,
  type Scaler,
  scaleKinds,
  scalerForm,
  scaleTable,
  scaleValues,
  unscaleValues,
} from "./scaling.ts";
export { defaultSplit, type Split, type SplitRule, splitOf, splitRule, withHistory } from "./split.ts";
export { loadSynthetic, type SyntheticOptions, synthetic } from "./synthetic.ts";
export { durationLabel, type RowRange, type Step, selectSeries, stepOf, type Table } from "./table.ts";
export {
  type Frequency,
  frequencies,
  frequencyOf,
  type TimeFeatures,
  timeFeatureNames,
  timeFeatures,
} from "./time-features.ts";
export { parseTimestamp } from "./timestamps.ts";
export { type Batch, spacedWindows, type WindowOptions, type WindowSet, windows } from "./windows.ts";
