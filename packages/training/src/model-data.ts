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

/** How data becomes a model's windows, for settings that the model and the data leave open. */
export interface FittedDataOptions {
  /** Learn a scaling of this kind from the data's training rows, even if the model has one. */
  readonly scale?: ScaleKind | undefined;
  readonly splits?: SplitRule | undefined;
}

/**
 * Windows for a model, scaled as in its training: by the scaling in its file, whatever the data. The split is the
 * data's own, or that of the training if the data is the same. Throws an EspalierError if model and data do not fit.
 */
export function forecastingDataFor(
  model: Model,
  source: LoadedDataset,
  options: FittedDataOptions = {},
): ForecastingData {
  const { inputLength, horizon, labelLength, series, marks, calendar } = windowShapeOf(model.graph);
  if (source.table.columns.length !== series) {
    throw new EspalierError(
      `data ${source.name}: it has ${source.table.columns.length} series, but the model forecasts ${series}. Select them by name.`,
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
    calendar,
  });
}
