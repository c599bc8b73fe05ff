import { type Backend, EspalierError, type Model } from "@espalier/core";
import {
  frequencyOf,
  scaleTable,
  type Table,
  timeFeatures,
  unscaleValues,
  windows,
  withFutureRows,
} from "@espalier/datasets";
import { inputsFrom } from "./inputs.ts";
import { dataOf, windowShapeOf } from "./model-data.ts";
import { predict } from "./predict.ts";

/**
 * Forecasts the rows that follow a table, in the table's own units: the model sees its last rows, scaled as in training.
 * The dates go on where there are any. Throws an EspalierError where the model does not know its data's scaling, the
 * series are others or in another order, or the table is too short.
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
  if (table.rows < inputLength) {
    throw new EspalierError(
      `data ${table.name}: ${table.rows} rows, the model looks back on ${inputLength}.`,
    );
  }
  const extended = withFutureRows(table, horizon);
  const window = windows(
    scaleTable(extended, data.scaler),
    { start: table.rows - inputLength, end: extended.rows },
    { inputLength, horizon, labelLength, marks: marks === 0 ? false : marksOf(extended, data.frequency) },
  );
  const output = await predict(model, backend, inputsFrom(model.graph, window)([0]));
  const from = table.rows;
  return {
    name: table.name,
    columns: table.columns,
    rows: horizon,
    values: unscaleValues(Float64Array.from(output.data), data.scaler),
    ...(extended.timestamps && { timestamps: extended.timestamps.slice(from) }),
    ...(table.step && { step: table.step }),
  };
}

function marksOf(table: Table, frequency: Parameters<typeof timeFeatures>[1] | undefined) {
  if (table.timestamps === undefined) {
    throw new EspalierError(`data ${table.name}: has no dates, and the model takes time marks.`);
  }
  return timeFeatures(table.timestamps, frequency ?? frequencyOf(table));
}
