import { EspalierError, type Model } from "@espalier/core";
import {
  dataOf,
  type ForecastingData,
  forecastingDataOf,
  type LoadedDataset,
  type ScaleKind,
  type SplitRule,
  stepFor,
  windowShapeOf,
} from "@espalier/datasets";

/** How data becomes a model's windows where the model and the data leave it open. */
export interface FittedDataOptions {
  /** Learn a scaling of this kind from the data's training rows, although the model has one. */
  readonly scale?: ScaleKind | undefined;
  readonly splits?: SplitRule | undefined;
}

/**
 * Windows for a model, scaled as it was trained: by the scaling in its file, whatever the data. The split is the data's
 * own, or the one the model was trained with where the data is the same. Throws an EspalierError where they do not fit.
 */
export function forecastingDataFor(
  model: Model,
  source: LoadedDataset,
  options: FittedDataOptions = {},
): ForecastingData {
  const { inputLength, horizon, labelLength, series, marks } = windowShapeOf(model.graph);
  if (source.table.columns.length !== series) {
    throw new EspalierError(
      `data ${source.name}: ${source.table.columns.length} series, the model forecasts ${series}. Select them by name.`,
    );
  }
  const known = dataOf(model);
  stepFor(known, source.table);
  const same = known?.checksum === source.checksum;
  const splits = options.splits ?? (same ? known?.splits : undefined);
  return forecastingDataOf(source, {
    inputLength,
    horizon,
    labelLength,
    ...(options.scale === undefined ? { scaler: known?.scaler } : { scale: options.scale }),
    splits,
    frequency: marks === 0 ? false : known?.frequency,
  });
}
