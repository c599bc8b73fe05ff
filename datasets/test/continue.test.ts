import { describe, expect, it } from "vitest";
import { formatCsv, nextTimestamps, stepOf, type Table, withFutureRows } from "../src/index.ts";
import { parseCsv } from "../src/node/index.ts";

const times = (...dates: string[]) =>
  Float64Array.from(dates, (date) => Date.parse(`${date.replace(" ", "T")}Z`.replace(/^(.{10})Z/, "$1")));
const texts = (timestamps: Float64Array) =>
  Array.from(timestamps, (time) => new Date(time).toISOString().slice(0, 10));

describe("dates of the rows to come", () => {
  it("go on by the step", () => {
    expect(nextTimestamps(times("2016-07-01 22:00", "2016-07-01 23:00"), 2)).toEqual(
      times("2016-07-02 00:00", "2016-07-02 01:00"),
    );
  });

  it("go on by the month, with months of different lengths", () => {
    expect(texts(nextTimestamps(times("2019-12-01", "2020-01-01", "2020-02-01"), 3))).toEqual([
      "2020-03-01",
      "2020-04-01",
      "2020-05-01",
    ]);
    expect(texts(nextTimestamps(times("2019-11-30", "2019-12-31", "2020-01-31"), 3))).toEqual([
      "2020-02-29",
      "2020-03-31",
      "2020-04-30",
    ]);
    expect(texts(nextTimestamps(times("2018-06-15", "2019-06-15"), 1))).toEqual(["2020-06-15"]);
  });

  it("go on by the days of the week that there are", () => {
    const business = Float64Array.from(
      { length: 15 },
      (_, i) => Date.UTC(2024, 0, 1) + (Math.floor(i / 5) * 7 + (i % 5)) * 86_400_000,
    );
    expect(stepOf(business)).toMatchObject({ label: "1 business day", irregular: 0 });
    expect(texts(nextTimestamps(business, 3))).toEqual(["2024-01-22", "2024-01-23", "2024-01-24"]);
    expect(stepOf(business.slice(0, 5))).toMatchObject({ label: "1 day" });
  });

  it("need a step", () => {
    expect(() => nextTimestamps(times("2020-01-01"), 1)).toThrow("cannot be continued: there is one");
  });

  it("belong to empty rows after the table", () => {
    const timestamps = times("2020-01-01", "2020-01-02");
    const table: Table = {
      name: "x",
      columns: ["a", "b"],
      rows: 2,
      values: Float64Array.of(1, 2, 3, 4),
      timestamps,
    };
    const more = withFutureRows({ ...table, step: stepOf(timestamps) }, 1);
    expect(more).toMatchObject({ rows: 3, columns: ["a", "b"], values: Float64Array.of(1, 2, 3, 4, 0, 0) });
    expect(texts(more.timestamps!)).toEqual(["2020-01-01", "2020-01-02", "2020-01-03"]);
  });
});

describe("a table as CSV", () => {
  it("is read back as it was", () => {
    const timestamps = times("2020-01-01 00:00", "2020-01-01 12:00", "2020-01-02 00:00");
    const table: Table = {
      name: "x",
      columns: ['a "quoted", name', "b"],
      rows: 3,
      values: Float64Array.of(1.5, -2e-9, 3, 4.25, 1e21, 0),
      timestamps,
    };
    const text = formatCsv(table);
    expect(text.split("\n").slice(0, 2)).toEqual([
      'date,"a ""quoted"", name",b',
      "2020-01-01 00:00:00,1.5,-2e-9",
    ]);
    expect(parseCsv("x", text).table).toMatchObject(table);
  });

  it("is written with the marks asked for", () => {
    const table: Table = { name: "x", columns: ["a;b"], rows: 1, values: Float64Array.of(-1.25) };
    expect(formatCsv(table, { delimiter: ";", decimal: "," })).toBe('"a;b"\n-1,25\n');
  });

  it("has no column of dates where there are none, and dates alone where all are midnights", () => {
    const table: Table = { name: "x", columns: ["a"], rows: 1, values: Float64Array.of(1 / 3) };
    expect(formatCsv(table)).toBe("a\n0.3333333333333333\n");
    expect(formatCsv({ ...table, timestamps: times("2020-02-29") })).toBe(
      "date,a\n2020-02-29,0.3333333333333333\n",
    );
  });
});
