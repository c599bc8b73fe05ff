import { EspalierError, type Model } from "@espalier/core";
import { sha256 } from "@espalier/core/documents";
import {
  type CsvReading,
  calendarNumbers,
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
import type { RunData } from "@espalier/recipe";
import { dataOf, inputsFrom, windowShapeOf } from "@espalier/training";
import type { Fit } from "../protocol.ts";

/** A series cut for a model: its first half to calibrate and fine-tune on, the second to forecast. */
export interface Frame {
  /** The model's series, in its order, in their own units. */
  readonly table: Table;
  readonly scaler: Scaler;
  readonly shown: WindowSet;
  /** The same cut as a recipe has it: training and validation lie in the first half. */
  readonly data: RunData;
}

/** A series as its file has it. */
export interface Series {
  readonly table: Table;
  readonly missing: RunData["missing"];
  readonly reading: CsvReading;
  readonly checksum: string;
}

/** The default of `--gaps`. */
const gaps = "warn";

/** Reads a CSV file; a missing value takes the one before it, and the note says how many did. */
export function readSeries(file: string, bytes: Uint8Array): Series & { readonly note?: string } {
  const { table, missing, reading } = parseCsv(file, bytes, { missing: "forward-fill", gaps });
  const series = { table, missing, reading, checksum: sha256(bytes) };
  if (missing.cells === 0) return series;
  const note =
    missing.cells === 1
      ? "One missing value takes the one before it."
      : `${missing.cells.toLocaleString("en")} missing values take the one before them.`;
  return { ...series, note };
}

/**
 * Cuts a series for a model. Scaled as the model was trained; if it does not say how, by the training rows. Throws an
 * EspalierError if they do not go together.
 */
export function frameFor(model: Model, { table: given, missing, reading, checksum }: Series): Frame {
  const { inputLength, horizon, labelLength, series, marks, calendar } = windowShapeOf(model.graph);
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
  // Validation needs the rows of a forecast at least, and of thirty for a search, unless too little is left for training.
  const many = horizon + 29 <= middle / 3 ? horizon + 29 : horizon;
  const held = Math.min(Math.max(many, Math.floor(rows / 8)), middle - inputLength);
  const split: [number, number, number] = [middle - held, held, rows - middle];
  const scaler = known?.scaler ?? fitScaler(table, { start: 0, end: split[0] }, "standard");
  const scaled = scaleTable(table, scaler);
  const frequency = known?.frequency ?? frequencyOf(table);
  const options = {
    inputLength,
    horizon,
    labelLength,
    marks: marks > 0 && (calendar ? calendarNumbers : timeFeatures)(timestamps!, frequency),
  };
  const cut = (start: number, end: number) =>
    windows(scaled, withHistory({ start, end }, inputLength), options);
  const shown = cut(middle, rows);
  // Says what an input takes that no window has.
  inputsFrom(model.graph, shown)([0, 0]);
  const data: RunData = {
    name,
    checksum,
    table,
    series: columns,
    scaler,
    missing,
    reading,
    gaps,
    frequency: marks === 0 ? undefined : frequency,
    splits: { rows: split },
    train: windows(scaled, { start: 0, end: split[0] }, options),
    validation: cut(split[0], middle),
  };
  return { table, scaler, shown, data };
}

/** Description of a frame for the page. */
export function describeFrame({ table, shown }: Frame): Fit {
  const { timestamps, columns } = table;
  const starts =
    timestamps &&
    Array.from({ length: shown.count }, (_, i) => timestamps[shown.rowOf(i) + shown.inputLength]!);
  return { columns, windows: shown.count, ...(starts && { starts }) };
}
