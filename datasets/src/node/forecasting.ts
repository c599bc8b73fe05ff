import { type ForecastingData, type ForecastingOptions, forecastingDataOf } from "../forecasting.ts";
import { type LoadOptions, loadDataset } from "./load.ts";

/** Options of {@link loadDataset} and of {@link forecastingDataOf} together. */
export interface ForecastingRequest extends ForecastingOptions, LoadOptions {
  /** `synthetic`, a name of the catalogue, or the path of a `.csv` file. */
  readonly dataset: string;
}

/**
 * From a name to windows, in one call: loads, handles missing values, splits, scales, cuts.
 *
 * @throws EspalierError as `loadDataset` and `forecastingDataOf` do.
 */
export async function forecastingData(request: ForecastingRequest): Promise<ForecastingData> {
  const { dataset, inputLength, horizon, labelLength, scale, scaler, splits, stride, frequency, ...load } =
    request;
  const source = await loadDataset(dataset, load);
  return forecastingDataOf(source, {
    inputLength,
    horizon,
    labelLength,
    scale,
    scaler,
    splits,
    stride,
    frequency,
  });
}
