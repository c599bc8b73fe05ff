import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCsv, readCsv } from "../src/node/index.ts";
import { temporaryFolder } from "./files.ts";

const prices = "date,open,close\n2024-01-01 00:00,1,2\n2024-01-01 01:00,3,4\n2024-01-01 02:00,5,6\n";
const read = (text: string | Uint8Array, options = {}) => parseCsv("prices.csv", text, options).table;

describe("reading CSV", () => {
  it("gives names, values row by row, timestamps and the step", () => {
    expect(read(prices)).toEqual({
      name: "prices.csv",
      columns: ["open", "close"],
      rows: 3,
      values: Float64Array.of(1, 2, 3, 4, 5, 6),
      timestamps: Float64Array.of(1704067200000, 1704070800000, 1704074400000),
      step: { milliseconds: 3_600_000, label: "1 h", irregular: 0 },
      dates: { columns: [{ name: "date", pattern: "yyyy-MM-dd HH:mm" }] },
    });
  });

  it.each([
    ["CRLF line ends", prices.replaceAll("\n", "\r\n")],
    ["CR line ends", prices.replaceAll("\n", "\r")],
    ["mixed line ends", prices.replace("\n", "\r\n")],
    ["no final newline", prices.trimEnd()],
    ["a byte order mark", `\uFEFF${prices}`],
    ["blank lines", `\n${prices.replaceAll("\n", "\n\n")}`],
    ["quotes and blanks", prices.replaceAll(",", " , ").replace(" open ", '"open"')],
    ["a byte order mark, as UTF-16", Buffer.from(`\uFEFF${prices}`, "utf16le")],
  ])("reads the same with %s", (_, text) => {
    expect(read(text)).toEqual(read(prices));
  });

  it("keeps U+FFFD in names, and tells repeated and empty names apart", () => {
    expect(read("SWDR (W/m\uFFFD),a,,a\n1,2,3,4\n").columns).toEqual([
      "SWDR (W/m\uFFFD)",
      "a",
      "column_3",
      "a.1",
    ]);
  });

  it("takes a first row of numbers as data, unless told that it holds names", () => {
    expect(read("1,2\n3,4\n")).toMatchObject({ rows: 2, columns: ["series_1", "series_2"] });
    expect(read("1,2\n3,4\n", { header: true })).toMatchObject({ rows: 1, columns: ["1", "2"] });
    expect(read("1,2\n3,4\n", { columnNames: ["a", "b"] }).columns).toEqual(["a", "b"]);
    expect(read("date,0,1\n2024-01-01,3,4\n").columns).toEqual(["0", "1"]);
  });

  it("finds the date by name, by content, or as told", () => {
    expect(read("a,Timestamp\n1,1704067200\n2,1704070800\n").step?.label).toBe("1 h");
    expect(read("a,when\n1,01.01.2024 00:10\n2,01.01.2024 00:20\n").step?.label).toBe("10 min");
    expect(read("2024-01-01,1\n2024-01-08,2\n").step?.label).toBe("7 days");
    expect(read("time,a\n0,1\n1,2\n", { dateColumn: false }).columns).toEqual(["a"]);
    expect(read("time,a\n0,1\n1,2\n", { series: ["time"] }).columns).toEqual(["time"]);
    expect(() => read(prices, { dateColumn: "dat" })).toThrow(
      'date column "dat" is not known. Did you mean "date"?',
    );
  });

  it("reads other delimiters and decimal commas", () => {
    expect(read("a;b\n1,5;2\n", { delimiter: ";", decimal: "," }).values).toEqual(Float64Array.of(1.5, 2));
    expect(read("a;b\n1,5;2\n").values).toEqual(Float64Array.of(1.5, 2));
    expect(() => read("a;b\n1;2\n", { delimiter: "," })).toThrow(
      '"1;2" is not a number. Does ";" separate the cells?',
    );
  });

  it("reads only the series asked for, whatever the others hold", () => {
    const text = "a,place,b\n1,Bonn,2\n3,Kiel,4\n";
    expect(read(text, { series: ["b", "a"] }).values).toEqual(Float64Array.of(2, 1, 4, 3));
    expect(() => read(text, { series: ["c"] })).toThrow('series "c" is not known');
  });

  it("counts gaps and doubled timestamps, and leaves them as they are", () => {
    const minutes = [0, 10, 10, 20, 30, 60, 70];
    const rows = minutes.map(
      (m, i) => `2020-05-12 0${Math.floor(m / 60)}:${String(m % 60).padStart(2, "0")},${i}`,
    );
    const { step, values } = read(`date,v\n${rows.join("\n")}`);
    expect(step).toEqual({ milliseconds: 600_000, label: "10 min", irregular: 2 });
    expect(values).toHaveLength(7);
  });

  it("gives back every table of finite numbers that was written out", () => {
    const table = fc.integer({ min: 1, max: 5 }).chain((width) =>
      fc.array(
        fc.array(fc.double({ min: -3.4e38, max: 3.4e38, noNaN: true }), {
          minLength: width,
          maxLength: width,
        }),
        {
          minLength: 1,
          maxLength: 20,
        },
      ),
    );
    fc.assert(
      fc.property(table, (rows) => {
        const header = rows[0]!.map((_, i) => `c${i}`).join(",");
        const text = `${header}\n${rows.map((row) => row.map(String).join(",")).join("\n")}\n`;
        expect([...read(text).values]).toEqual(rows.flat().map((v) => (Object.is(v, -0) ? 0 : v)));
      }),
    );
  });
});

describe("bad CSV ends in one line", () => {
  const rows = Array.from({ length: 1040 }, (_, i) => `${i},1`).join("\n");
  it.each([
    [
      "a value that says it is missing",
      `open,close\n${rows}\n7,n/a\n`,
      'data prices.csv, row 1042, column "close": "n/a" is not a number. Give --missing forward-fill, or --missing drop.',
    ],
    ["an empty cell", "a,b\n1,\n", 'data prices.csv, row 2, column "b": is empty. Give --missing'],
    [
      "text",
      "a,b\n1,2\n3,x y\n",
      'data prices.csv, row 3, column "b": "x y" is not a number. Correct the cell, or',
    ],
    ["infinity", "a\ninf\n", '"inf" is not a number'],
    ["a number beyond all bounds", "a\n1e999\n", '"1e999" is not a number'],
    ["hexadecimal", "a\n0x10\n", '"0x10" is not a number'],
    ["a row cut short", "a,b,c\n1,2,3\n4,5\n", "data prices.csv, row 3: 2 cells, the header has 3."],
    ["a row too long", "a,b\n1,2,3\n", "data prices.csv, row 2: 3 cells, the header has 2."],
    [
      "a quote never closed",
      'a,b\n1,"2\n3,4\n',
      "data prices.csv, row 2: a quote opens here and is not closed",
    ],
    ["a date that is none", "date,a\n2024-02-30,1\n", 'column "date": "2024-02-30" is not a date'],
    [
      "dates that run backwards",
      "date,a\n2024-01-02,1\n2024-01-01,2\n",
      'row 3, column "date": 2024-01-01 is before',
    ],
    [
      "many series below each other",
      "date,a\n2024-01-01,1\n2024-01-01,2\n2024-01-01,2\n",
      "most dates repeat",
    ],
    ["nothing", "", "data prices.csv: no rows of data."],
    ["a header alone", "date,a\n", "data prices.csv: no rows of data."],
    ["dates alone", "date\n2024-01-01\n", 'has no column besides "date"'],
    [
      "bytes that are no text",
      Buffer.from("ab\u0003\u0004\u0000\u0000\u0000"),
      "data prices.csv: is not a text file.",
    ],
  ])("%s", (_, text, message) => {
    let line = "";
    try {
      read(text);
    } catch (error) {
      expect(error).toHaveProperty("name", "EspalierError");
      line = (error as Error).message;
    }
    expect(line).toContain(message);
    expect(line).not.toContain("\n");
  });

  it("stops at its limits, not at what a file claims", () => {
    expect(() => read("a,b,c\n1,2,3\n", { limits: { columns: 2 } })).toThrow(
      "3 columns, more than the limit of 2",
    );
    expect(() => read("a\n1\n2\n3\n", { limits: { cells: 2 } })).toThrow("row 4: more than 2 values");
    expect(() => read(`a,b\n1,"${"2".repeat(5_000_000)}`)).toThrow(
      "row 2: a quote opens here and is not closed",
    );
  });

  it("refuses options that are not known or make no sense", () => {
    expect(() => read(prices, { delimeter: ";" })).toThrow(/data prices.csv: .*"delimeter"/);
    expect(() => read(prices, { missing: "zero" })).toThrow('option "missing"');
    expect(() => read(prices, { decimal: ",", delimiter: "," })).toThrow(
      "decimal and delimiter are the same",
    );
    expect(() => read(prices, { series: ["open", "open"] })).toThrow("a series is named twice");
    expect(() => read("1,2\n", { columnNames: ["a"] })).toThrow(
      "columnNames has 1 names, the file's rows have 2 cells",
    );
  });

  it("says where it looked for a file", async () => {
    const folder = await temporaryFolder();
    await expect(readCsv(join(folder, "a.csv"))).rejects.toThrow(/data a.csv: there is no file .*a.csv/);
    await expect(readCsv(folder)).rejects.toThrow("is a folder");
    await writeFile(join(folder, "a.csv"), "a\n1\n");
    expect(await readCsv(join(folder, "a.csv"))).toMatchObject({
      table: { rows: 1 },
      checksum: "309b0e45a73d3fc5325e2b6ed0a01ef8b9cde6b05a5633c1f893f970d52bfddc",
    });
  });
});
