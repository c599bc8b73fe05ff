import { type Backend, EspalierError, type Model } from "@espalier/core";
import {
  frequencyOf,
  type Scaler,
  scaleTable,
  type Table,
  timeFeatures,
  unscaleValues,
  windows,
  withFutureRows,
} from "@espalier/datasets";
import { inputsFrom } from "./inputs.ts";
import { dataOf, stepFor, windowShapeOf } from "./model-data.ts";
import { predict } from "./predict.ts";

/** Digits of a float32. */
const digits = 7;

/**
 * Forecasts the rows that follow a table, in the table's own units: the model sees its last rows, scaled as in training.
 * The dates go on where there are any, written as the table's are. Values have as many decimals as a 32-bit forecast says
 * something about; a series that never changes in the table stays as it is.
 *
 * @throws EspalierError where the model does not know its data's scaling, the series are others or in another order, the
 * table is too short, damaged, or has another step than the data the model was trained on, and where a value is missing
 * or a gap lies among the rows that the model sees.
 */
export async function forecastNext(model: Model, backend: Backend, table: Table): Promise<Table> {
  const data = dataOf(model);
  if (data === undefined) {
    throw new EspalierError(
      `model ${model.name} does not know its data's scaling and series, so no forecast of it has units. Train it on data first.`,
    );
  }
  if (table.columns.join("\n") !== data.series.join("\n")) {
    throw new EspalierError(
      `data ${table.name}: its series are ${table.columns.join(", ")}; the model forecasts ${data.series.join(", ")}.`,
    );
  }
  const { inputLength, horizon, labelLength, marks } = windowShapeOf(model.graph);
  expectSound(table, inputLength);
  const extended = withFutureRows(table, horizon, stepFor(data, table));
  const window = windows(
    scaleTable({ ...extended, breaks: undefined }, data.scaler),
    { start: table.rows - inputLength, end: extended.rows },
    { inputLength, horizon, labelLength, marks: marks === 0 ? false : marksOf(extended, data.frequency) },
  );
  const output = await predict(model, backend, inputsFrom(model.graph, window)([0]));
  const from = table.rows;
  const { values } = table;
  const width = table.columns.length;
  const forecast = unscaleValues(Float64Array.from(output.data), data.scaler);
  for (let column = 0; column < width; column++) {
    const constant = neverChanges(table, column);
    for (let at = column; at < forecast.length; at += width) {
      forecast[at] = constant ? values[column]! : rounded(forecast[at]!, data.scaler, column);
    }
  }
  return {
    name: table.name,
    columns: table.columns,
    rows: horizon,
    values: forecast,
    ...(extended.timestamps && { timestamps: extended.timestamps.slice(from) }),
    ...(extended.offsets && { offsets: extended.offsets.slice(from) }),
    ...(table.step && { step: table.step }),
    ...(table.dates && { dates: table.dates }),
  };
}

function expectSound({ name, columns, rows, values, timestamps, breaks }: Table, inputLength: number): void {
  if (values.length !== rows * columns.length || (timestamps && timestamps.length !== rows)) {
    throw new EspalierError(
      `data ${name}: ${values.length} values and ${timestamps?.length ?? "no"} dates are not ${rows} rows of ${columns.length} series.`,
    );
  }
  if (rows < inputLength) {
    throw new EspalierError(`data ${name}: ${rows} rows, the model looks back on ${inputLength}.`);
  }
  const start = rows - inputLength;
  const odd = values.findIndex((value, i) => i >= start * columns.length && !Number.isFinite(value));
  if (odd >= 0) {
    throw new EspalierError(
      `data ${name}, row ${Math.floor(odd / columns.length) + 1}, series "${columns[odd % columns.length]}": ${values[odd]} is among the ${inputLength} rows that the model sees. Fill it first.`,
    );
  }
  const gap = breaks?.find((row) => row > start);
  if (gap !== undefined) {
    throw new EspalierError(
      `data ${name}: the last ${inputLength} rows, which the model sees, reach across a gap ${rows - gap} rows before the end. Give --gaps fill or warn.`,
    );
  }
}

function neverChanges({ values, columns }: Table, column: number): boolean {
  for (let at = column; at < values.length; at += columns.length) {
    if (values[at] !== values[column]) return false;
  }
  return true;
}

/** A forecast without the decimals that are below a float32's last digit, in units of the series' spread. */
function rounded(value: number, { kind, spread }: Scaler, column: number): number {
  const size = kind === "none" ? Math.abs(value) : spread[column]!;
  if (size === 0) return value;
  const decimals = digits - 1 - Math.floor(Math.log10(size));
  return decimals > 100 ? value : Number(value.toFixed(Math.max(0, decimals)));
}

function marksOf(table: Table, frequency: Parameters<typeof timeFeatures>[1] | undefined) {
  if (table.timestamps === undefined) {
    throw new EspalierError(`data ${table.name}: has no dates, and the model takes time marks.`);
  }
  return timeFeatures(table.timestamps, frequency ?? frequencyOf(table));
}
