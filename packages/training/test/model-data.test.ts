import {
  forecastingDataOf,
  loadSynthetic,
  selectSeries,
  stepFor,
  stepOf,
  type Table,
} from "@espalier/datasets";
import { decodeModel, encodeModel } from "@espalier/formats";
import { iTransformer, patchTST } from "@espalier/models";
import { describe, expect, it } from "vitest";
import { dataOf, forecastingDataFor, windowShapeOf, withData } from "../src/index.ts";

const lengths = { inputLength: 24, horizon: 6 };
const small = { ...lengths, width: 8, feedForward: 8, heads: 2, layers: 1 };
const source = await loadSynthetic({ rows: 400 });
const data = forecastingDataOf(source, lengths);
const model = withData(patchTST({ ...small, series: 7 }).initialize(1), data);

describe("what a model knows of its data", () => {
  it("is in its file", () => {
    expect(dataOf(decodeModel(encodeModel(model)))).toEqual({
      name: "synthetic",
      checksum: source.checksum,
      series: source.table.columns,
      scaler: data.scaler,
      missing: "error",
      frequency: "h",
      splits: { shares: [0.7, 0.1, 0.2] },
      step: { milliseconds: 3_600_000, label: "1 h" },
    });
    expect(dataOf(patchTST({ ...small, series: 7 }).initialize(1))).toBeUndefined();
  });

  it("is refused where it is damaged, with the place", () => {
    const metadata = { data: { ...(model.metadata.data as object), scaler: { kind: "standard" } } };
    expect(() => dataOf({ ...model, metadata })).toThrow("its description of its data is damaged at scaler");
  });

  it("scales other data as the model was trained, and splits the same data as it was split", () => {
    const splits = { shares: [0.5, 0.25, 0.25] } as const;
    const trained = withData(model, forecastingDataOf(source, { ...lengths, splits }));
    expect(forecastingDataFor(trained, source).split.train.end).toBe(200);
    const other = { ...source, checksum: "another", table: tail(source.table, 300) };
    const onOther = forecastingDataFor(trained, other);
    expect(onOther.split.train.end).toBe(210);
    expect(onOther.scaler).toEqual(dataOf(trained)!.scaler);
    expect(forecastingDataFor(trained, other, { scale: "min-max" }).scaler.kind).toBe("min-max");
  });

  it("refuses data whose rows are another time apart, but not the few rows that do not show theirs", () => {
    const every = (table: Table, n: number): Table => {
      const timestamps = table.timestamps!.filter((_, i) => i % n === 0);
      const rows = timestamps.length;
      return {
        ...table,
        rows,
        values: table.values.slice(0, rows * 7),
        timestamps,
        step: stepOf(timestamps),
      };
    };
    const sparse = { ...source, checksum: "another", table: every(source.table, 2) };
    expect(() => forecastingDataFor(model, sparse)).toThrow(
      "a row every 2 h, the model was trained on one every 1 h",
    );
    const old = { ...model, metadata: { data: { ...(model.metadata.data as object), step: undefined } } };
    expect(stepFor(dataOf(old as unknown as typeof model), sparse.table)).toMatchObject({ label: "2 h" });
    const weekdays = { milliseconds: 86_400_000, label: "1 business day" };
    const business = { ...weekdays, calendar: { unit: "weekday", days: [1, 2, 3, 4, 5] } } as const;
    const known = { ...dataOf(model)!, step: business };
    const days = Float64Array.from({ length: 5 }, (_, i) => Date.UTC(2024, 0, 1 + i));
    const week: Table = { ...source.table, rows: 5, timestamps: days, step: stepOf(days) };
    expect(stepFor(known, week)).toBe(business);
    const all = Float64Array.from({ length: 30 }, (_, i) => Date.UTC(2024, 0, 1 + i));
    expect(() => stepFor(known, { ...week, timestamps: all, step: stepOf(all) })).toThrow("1 business day");
  });

  it("refuses a scaling that no file could hold", () => {
    const scaler = { ...data.scaler, spread: data.scaler.spread.map(() => Number.POSITIVE_INFINITY) };
    expect(() => withData(model, { ...data, scaler })).toThrow('series "s1": its values are too large');
  });

  it("refuses data with another number of series", () => {
    const table = selectSeries(source.table, ["s1", "s2"]);
    expect(() => forecastingDataFor(model, { ...source, table })).toThrow(
      "2 series, but the model forecasts 7. Select them by name",
    );
  });
});

describe("the windows of a model", () => {
  it("are read off its graph, time marks included", () => {
    const marked = iTransformer({ ...small, series: 3, marks: 4 }).initialize(1);
    expect(windowShapeOf(marked.graph)).toEqual({
      ...lengths,
      labelLength: 0,
      series: 3,
      marks: 4,
      calendar: false,
    });
    expect(windowShapeOf(model.graph).marks).toBe(0);
  });
});

function tail(table: Table, rows: number): Table {
  const { columns, values, timestamps } = table;
  return {
    ...table,
    rows,
    values: values.slice(-rows * columns.length),
    timestamps: timestamps!.slice(-rows),
  };
}
