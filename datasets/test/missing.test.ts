import { describe, expect, it } from "vitest";
import type { MissingRule } from "../src/index.ts";
import { parseCsv } from "../src/node/index.ts";

const text = "a,b\n,1\n2,NaN\nnull,-9999\n8,4\nNA,5\n";
const read = (missing: MissingRule, source = text, sentinels = [-9999]) =>
  parseCsv("gaps.csv", source, { missing, sentinels });

describe("missing values", () => {
  it("are counted by series, sentinels among them", () => {
    expect(read("forward-fill").missing).toEqual({
      rule: "forward-fill",
      cells: 5,
      bySeries: { a: 3, b: 2 },
      droppedRows: 0,
    });
    expect(parseCsv("gaps.csv", "a\n1\n").missing).toMatchObject({ cells: 0, bySeries: {} });
  });

  it("filled forward are the last known value, at the start the first", () => {
    expect([...read("forward-fill").table.values]).toEqual([2, 1, 2, 1, 2, 1, 8, 4, 8, 5]);
  });

  it("interpolated lie on a line between their neighbours, and are held at the ends", () => {
    expect([...read("interpolate").table.values]).toEqual([2, 1, 2, 2, 5, 3, 8, 4, 8, 5]);
  });

  it("dropped take their row and its timestamp along", () => {
    const dated = "date,a\n2024-01-01,1\n2024-01-02,\n2024-01-03,3\n";
    const { table, missing } = read("drop", dated);
    expect([...table.values]).toEqual([1, 3]);
    expect(table.timestamps).toEqual(Float64Array.of(Date.UTC(2024, 0, 1), Date.UTC(2024, 0, 3)));
    expect(table.rows).toBe(2);
    expect(missing.droppedRows).toBe(1);
  });

  it("are an error unless a rule is given", () => {
    expect(() => read("error")).toThrow('row 2, column "a": is empty. Give --missing forward-fill');
    expect(() => read("error", "a\n-9999\n")).toThrow("-9999 stands for a missing value. Give --missing");
    expect(read("error", "a\n-9999\n", []).table.values[0]).toBe(-9999);
  });

  it("make no series out of nothing", () => {
    expect(() => read("forward-fill", "a,b\n1,\n2,\n")).toThrow('column "b": every value is missing');
    expect(() => read("drop", "a,b\n1,\n,2\n")).toThrow("every row has a missing value");
  });

  it("of a single column are its empty lines, but for those at the end", () => {
    expect([...read("interpolate", "a\n1\n\n3\n\n\n").table.values]).toEqual([1, 2, 3]);
  });

  it("never excuse text", () => {
    expect(() => read("forward-fill", "a\n1\nx\n")).toThrow('row 3, column "a": "x" is not a number');
  });
});
