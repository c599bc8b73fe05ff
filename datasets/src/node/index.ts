export { parseCsv } from "../csv/parse.ts";
export { type CsvFile, isDataFile, readCsv } from "./csv.ts";
export { type DownloadOptions, type DownloadProgress, download } from "./download.ts";
export { type ForecastingRequest, forecastingData } from "./forecasting.ts";
export {
  type DatasetFile,
  datasetFile,
  type FetchOptions,
  fetchDataset,
  type LoadOptions,
  loadDataset,
} from "./load.ts";
