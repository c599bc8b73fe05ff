import { reference } from "@espalier/core";
import { forecastingDataOf, loadSynthetic, selectSeries, stepOf, type Table } from "@espalier/datasets";
import { decodeModel, encodeModel } from "@espalier/formats";
import { iTransformer, patchTST } from "@espalier/models";
import { describe, expect, it } from "vitest";
import { dataOf, forecastingDataFor, forecastNext, stepFor, windowShapeOf, withData } from "../src/index.ts";

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
    expect(() => dataOf({ ...model, metadata })).toThrow("what it says of its data is damaged at scaler");
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
      "2 series, the model forecasts 7. Select them by name",
    );
  });
});

describe("the windows of a model", () => {
  it("are read off its graph, time marks included", () => {
    const marked = iTransformer({ ...small, series: 3, marks: 4 }).initialize(1);
    expect(windowShapeOf(marked.graph)).toEqual({ ...lengths, labelLength: 0, series: 3, marks: 4 });
    expect(windowShapeOf(model.graph).marks).toBe(0);
  });
});

describe("a forecast", () => {
  it("is of the rows after the last, in the data's units", async () => {
    const next = await forecastNext(model, reference, source.table);
    expect(next).toMatchObject({ rows: 6, columns: source.table.columns });
    const hour = 3_600_000;
    const last = source.table.timestamps!.at(-1)!;
    expect([...next.timestamps!]).toEqual([1, 2, 3, 4, 5, 6].map((i) => last + i * hour));
    // Each window is normalised and restored: a forecast stays near the values it continues.
    const level = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;
    const recent = source.table.values.slice(-24 * 7);
    expect(Math.abs(level(next.values) / level(recent) - 1)).toBeLessThan(0.5);
  });

  it("is the one that evaluation makes of the same window", async () => {
    const all = forecastingDataFor(model, source);
    const rows = source.table.rows - lengths.horizon;
    const next = await forecastNext(model, reference, head(source.table, rows));
    const state = await reference.createState(model.tensors);
    const program = await reference.compile(model.graph, { state });
    const { x } = all.test.batch([all.test.count - 1]);
    const input = { dtype: "float32" as const, shape: [1, 24, 7], data: x };
    const [output] = (await program.run(new Map([["x_enc", input]]))).values();
    const { center, spread } = data.scaler;
    output!.data.forEach((value, i) => {
      expect(next.values[i]).toBeCloseTo(value * spread[i % 7]! + center[i % 7]!, 4);
    });
  });

  it("takes time marks of the rows it sees", async () => {
    const marked = withData(iTransformer({ ...small, series: 7, marks: 4 }).initialize(1), data);
    expect((await forecastNext(marked, reference, source.table)).rows).toBe(6);
    const { timestamps: _dates, step: _step, ...undated } = source.table;
    await expect(forecastNext(marked, reference, undated)).rejects.toThrow("has no dates");
  });

  it("says what is wrong with a model that knows no data, other series, or too few rows", async () => {
    const bare = patchTST({ ...small, series: 7 }).initialize(1);
    await expect(forecastNext(bare, reference, source.table)).rejects.toThrow("Train it on data first");
    const other = { ...source.table, columns: ["a", ...source.table.columns.slice(1)] };
    await expect(forecastNext(model, reference, other)).rejects.toThrow("its series are a, s2");
    const longer = { ...source.table, rows: source.table.rows + 1 };
    await expect(forecastNext(model, reference, longer)).rejects.toThrow("are not 401 rows of 7 series");
    const holed = { ...source.table, values: source.table.values.slice().fill(Number.NaN, -1) };
    await expect(forecastNext(model, reference, holed)).rejects.toThrow('row 400, series "s7": NaN is among');
    const torn = { ...source.table, breaks: [10, 390] };
    await expect(forecastNext(model, reference, torn)).rejects.toThrow("across a gap 10 rows before the end");
    await expect(forecastNext(model, reference, tail(source.table, 23))).rejects.toThrow(
      "23 rows, the model looks back on 24",
    );
  });
});

function head(table: Table, rows: number): Table {
  const { columns, values, timestamps } = table;
  return {
    ...table,
    rows,
    values: values.slice(0, rows * columns.length),
    timestamps: timestamps!.slice(0, rows),
  };
}

function tail(table: Table, rows: number): Table {
  const { columns, values, timestamps } = table;
  return {
    ...table,
    rows,
    values: values.slice(-rows * columns.length),
    timestamps: timestamps!.slice(-rows),
  };
}
