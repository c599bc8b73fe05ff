export { type CatalogueEntry, catalogue, findDataset } from "./catalogue.ts";
export { nextTimestamps, withFutureRows } from "./continue.ts";
export type { CsvOptions } from "./csv/options.ts";
export { parseCsv, type TableAndReport } from "./csv/parse.ts";
export type { CsvReading, NaRule } from "./csv/reading.ts";
export { formatCsv } from "./csv/write.ts";
export { type DateFormat, dateFormat, type Moment } from "./dates/format.ts";
export { type DateStyle, formatDate, plainStyle } from "./dates/style.ts";
export {
  type ForecastingData,
  type ForecastingOptions,
  forecastingDataOf,
  type LoadedDataset,
} from "./forecasting.ts";
export { type Frequency, frequencies, frequencyOf, marksFrequency } from "./frequency.ts";
export { type GapRule, gapRules } from "./gap-rules.ts";
export { inputsFrom } from "./inputs.ts";
export { type MissingReport, type MissingRule, missingRules } from "./missing.ts";
export {
  type DescribedData,
  dataOf,
  type ModelData,
  stepFor,
  type WindowShape,
  windowShapeOf,
  withData,
} from "./model-data.ts";
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
export {
  type CalendarStep,
  durationLabel,
  irregularCount,
  type KnownStep,
  type Step,
  sameStep,
  seasonOf,
  stepOf,
} from "./step.ts";
export { loadSynthetic, type SyntheticOptions, synthetic } from "./synthetic.ts";
export { type RowRange, selectSeries, type Table } from "./table.ts";
export {
  calendarNumbers,
  markCount,
  type TimeFeatures,
  timeFeatureNames,
  timeFeatures,
} from "./time-features.ts";
export { parseTimestamp } from "./timestamps.ts";
export { type Batch, spacedWindows, type WindowOptions, type WindowSet } from "./windows.ts";
export { windows } from "./windows-by-date.ts";
