import { EspalierError } from "@espalier/core";
import { type ForecastingData, type Scaler, seasonOf, type WindowSet } from "@espalier/datasets";
import { batchesOf } from "./batches.ts";
import { ErrorSums, type Metrics } from "./metrics.ts";

/** Errors of forecasts that need no model, which a model has to beat. */
export interface Baselines {
  /** Each series keeps its last value. */
  readonly last: Metrics;
  /** Each series repeats its last season; absent if no season fits into the model's window. */
  readonly seasonal?: { readonly season: number; readonly errors: Metrics };
}

/**
 * Measures the forecasts that need no model over windows.
 *
 * @param season number of rows after which a pattern repeats, see `seasonOf`.
 * @throws EspalierError if there is no window.
 */
export function baselines(
  windows: WindowSet,
  { season, scaler }: { readonly season?: number | undefined; readonly scaler?: Scaler | undefined } = {},
): Baselines {
  const { horizon, series, inputLength, count } = windows;
  if (count === 0) throw new EspalierError("there is no window to evaluate.");
  const last = new ErrorSums(horizon, series);
  const fits = season !== undefined && season <= inputLength;
  const seasonal = fits ? new ErrorSums(horizon, series) : undefined;
  for (const indices of batchesOf(count, 64)) {
    const { x, y } = windows.batch(indices);
    last.add(repeated(x, windows, 1), y);
    if (fits) seasonal!.add(repeated(x, windows, season), y);
  }
  return {
    last: last.metrics(scaler),
    ...(seasonal && { seasonal: { season: season!, errors: seasonal.metrics(scaler) } }),
  };
}

/** Repeats the last `season` rows of each window's input: `[windows, horizon, series]`. */
function repeated(
  x: Float32Array,
  { inputLength, horizon, series }: WindowSet,
  season: number,
): Float32Array {
  const windows = x.length / (inputLength * series);
  const out = new Float32Array(windows * horizon * series);
  for (let w = 0; w < windows; w++) {
    for (let h = 0; h < horizon; h++) {
      const row = w * inputLength + inputLength - season + (h % season);
      out.set(x.subarray(row * series, (row + 1) * series), (w * horizon + h) * series);
    }
  }
  return out;
}

/** A model's errors, with those of forecasts that need no model. */
export interface Comparison extends Baselines {
  /** Season of MASE in rows; 1 if none is known. */
  readonly season: number;
  /** Mean absolute scaled error of the model, and of the forecasts that need no model. */
  readonly mase: { readonly model: Mase; readonly last: Mase; readonly seasonal?: Mase };
}

/**
 * Mean absolute scaled error (Hyndman and Koehler, 2006): the error relative to that of repeating the last season
 * within the training rows. A model above 1 is worse than that.
 */
export interface Mase {
  /** The mean over series that change. */
  readonly all: number;
  /** By series; NaN for one that does not change. */
  readonly series: readonly number[];
}

/** Compares a model's errors over a split with those of forecasts that need no model. */
export function compared(metrics: Metrics, windows: WindowSet, data: ForecastingData): Comparison {
  const naive = baselines(windows, {
    season: data.table.step && seasonOf(data.table.step),
    scaler: data.scaler,
  });
  return {
    ...naive,
    season: maseSeason(data),
    mase: {
      model: maseOf(metrics, data),
      last: maseOf(naive.last, data),
      ...(naive.seasonal && { seasonal: maseOf(naive.seasonal.errors, data) }),
    },
  };
}

/** The mean absolute scaled error of forecasts for a data set. */
export function maseOf({ series }: Metrics, data: ForecastingData): Mase {
  const scales = seasonalErrors(data, maseSeason(data));
  const all = series.map(({ mae }, i) => (scales[i]! > 0 ? mae / scales[i]! : Number.NaN));
  const finite = all.filter(Number.isFinite);
  return { all: finite.reduce((sum, one) => sum + one, 0) / finite.length, series: all };
}

/** Whether the units of series differ so much that a common error in original units means nothing. */
export function unitsDiffer({ spread }: Scaler): boolean {
  return Math.max(...spread) > 10 * Math.min(...spread);
}

function maseSeason({ table, split }: ForecastingData): number {
  const known = table.step && seasonOf(table.step);
  return known !== undefined && known < split.train.end - split.train.start ? known : 1;
}

/** Mean absolute difference to the previous season, by series, over the training rows, in the model's units. */
function seasonalErrors({ table, split, scaler }: ForecastingData, season: number): number[] {
  const { values, columns } = table;
  const { start, end } = split.train;
  return columns.map((_, column) => {
    let sum = 0;
    for (let row = start + season; row < end; row++) {
      sum += Math.abs(
        values[row * columns.length + column]! - values[(row - season) * columns.length + column]!,
      );
    }
    return sum / (end - start - season) / scaler.spread[column]!;
  });
}
