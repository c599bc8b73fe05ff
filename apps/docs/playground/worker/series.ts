import { EspalierError, type Model } from "@espalier/core";
import {
  fitScaler,
  frequencyOf,
  parseCsv,
  type Scaler,
  scaleTable,
  selectSeries,
  type Table,
  timeFeatures,
  type WindowSet,
  windows,
  withHistory,
} from "@espalier/datasets";
import { dataOf, inputsFrom, windowShapeOf } from "@espalier/training";
import type { Fit } from "../protocol.ts";

/** A series cut for a model: its first half to calibrate on, the second to forecast. */
export interface Frame {
  /** The model's series, in its order, in their own units. */
  readonly table: Table;
  readonly scaler: Scaler;
  readonly calibration: WindowSet;
  readonly shown: WindowSet;
}

/** Reads a CSV file; a missing value takes the one before it, and the note says how many did. */
export function readSeries(
  file: string,
  bytes: Uint8Array,
): { readonly table: Table; readonly note?: string } {
  const { table, missing } = parseCsv(file, bytes, { missing: "forward-fill" });
  if (missing.cells === 0) return { table };
  const note =
    missing.cells === 1
      ? "One missing value takes the one before it."
      : `${missing.cells.toLocaleString("en")} missing values take the one before them.`;
  return { table, note };
}

/**
 * Cuts a table for a model. Scaled as the model was trained; where it does not say how, by the rows to calibrate on.
 * Throws an EspalierError where they do not go together.
 */
export function frameFor(model: Model, given: Table): Frame {
  const { inputLength, horizon, labelLength, series, marks } = windowShapeOf(model.graph);
  const known = dataOf(model);
  const table =
    known?.series.every((name) => given.columns.includes(name)) === true
      ? selectSeries(given, known.series)
      : given;
  const { name, rows, columns, timestamps } = table;
  if (columns.length !== series) {
    throw new EspalierError(
      `${name} has ${columns.length} series, the model forecasts ${series}. Drop a CSV file with ${series} columns of numbers.`,
    );
  }
  if (rows < inputLength + horizon) {
    throw new EspalierError(
      `${name} has ${rows} rows; the model looks back on ${inputLength} and forecasts ${horizon}: ${inputLength + horizon} are needed.`,
    );
  }
  if (marks > 0 && timestamps === undefined) {
    throw new EspalierError(`${name} has no dates, and the model reads them. Add a column named date.`);
  }
  const middle = Math.max(inputLength, Math.min(Math.floor(rows / 2), rows - horizon));
  const scaler = known?.scaler ?? fitScaler(table, { start: 0, end: middle }, "standard");
  const scaled = scaleTable(table, scaler);
  const options = {
    inputLength,
    horizon,
    labelLength,
    marks: marks === 0 ? (false as const) : timeFeatures(timestamps!, known?.frequency ?? frequencyOf(table)),
  };
  const shown = windows(scaled, withHistory({ start: middle, end: rows }, inputLength), options);
  // Says what an input takes that no window has.
  inputsFrom(model.graph, shown)([0, 0]);
  return { table, scaler, calibration: windows(scaled, { start: 0, end: middle }, options), shown };
}

/** What the page is told of a frame. */
export function describeFrame({ table, shown }: Frame): Fit {
  const { timestamps, columns } = table;
  const starts =
    timestamps &&
    Array.from({ length: shown.count }, (_, i) => timestamps[shown.rowOf(i) + shown.inputLength]!);
  return { columns, windows: shown.count, ...(starts && { starts }) };
}
