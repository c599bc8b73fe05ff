import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { formatCsv, type Table, withFutureRows } from "../src/index.ts";
import { isDataFile, loadDataset, parseCsv } from "../src/node/index.ts";
import { temporaryFolder } from "./files.ts";

const hour = 3_600_000;
const hours = Array.from({ length: 60 }, (_, i) => new Date(Date.UTC(2024, 0, 25) + i * hour));
const iso = (date: Date) => date.toISOString().slice(0, 16).replace("T", " ");
const value = (i: number) => 1000 + 234.5 * Math.sin(i / 4);

/** A file of hours, written by a rule. */
function file(row: (date: string, a: string, b: string, i: number) => string, header = "date,a,b"): string {
  const lines = hours.map((date, i) => row(iso(date), value(i).toFixed(2), value(i + 9).toFixed(1), i));
  return `${header}\n${lines.join("\n")}\n`;
}
const plain = parseCsv(
  "plain",
  file((d, a, b) => `${d},${a},${b}`),
).table;
const comma = (number: string) => number.replace(".", ",");
/** With a mark between thousands. */
const grouped = (number: string, mark: string) => number.replace(/^(\d)(\d{3})/, `$1${mark}$2`);

describe("the same table, whatever separates what", () => {
  it.each<[string, string, string?]>([
    [
      "semicolons and decimal commas",
      file((d, a, b) => `${d};${comma(a)};${comma(b)}`, "date;a;b"),
      'read with cells parted by ";", a decimal comma',
    ],
    ["tabs", file((d, a, b) => `${d}\t${a}\t${b}`, "date\ta\tb"), "read with cells parted by tabs"],
    ["bars", file((d, a, b) => `${d}|${a}|${b}`, "date|a|b"), 'read with cells parted by "|"'],
    [
      "Excel's first line",
      `sep=;\n${file((d, a, b) => `${d};${a};${b}`, "date;a;b")}`,
      'read with cells parted by ";"',
    ],
    [
      "points between thousands",
      file((d, a, b) => `${d};${grouped(comma(a), ".")};${comma(b)}`, "date;a;b"),
      'read with cells parted by ";", a decimal comma, thousands parted by "."',
    ],
    [
      "commas between thousands",
      file((d, a, b) => `${d},"${grouped(a, ",")}",${b}`),
      'read with thousands parted by ","',
    ],
    [
      "narrow blanks between thousands",
      file((d, a, b) => `${d};${grouped(comma(a), "\u202F")};${comma(b)}`, "date;a;b"),
      'read with cells parted by ";", a decimal comma, thousands parted by blanks',
    ],
    [
      "apostrophes between thousands",
      file((d, a, b) => `${d};${grouped(a, "'")};${b}`, "date;a;b"),
      `read with cells parted by ";", thousands parted by "'"`,
    ],
    [
      "comments before it",
      `# exported\n# by "x\n${file((d, a, b) => `${d},${a},${b}`)}`,
      "2 lines before the table left out",
    ],
    ["a header in a comment", file((d, a, b) => `${d},${a},${b}`, "#date,a,b")],
    [
      "titles before it",
      `Station: Bonn\n\n${file((d, a, b) => `${d},${a},${b}`)}`,
      "2 lines before the table left out",
    ],
    [
      "an index before it",
      file((d, a, b, i) => `${i},${d},${a},${b}`, ",date,a,b"),
      "the column without a name counts the rows: left out",
    ],
    [
      "an index that its header leaves out",
      file((d, a, b, i) => `${i + 1},${d},${a},${b}`),
      "the column without a name counts the rows: left out",
    ],
    [
      "commas at the ends of rows",
      file((d, a, b) => `${d},${a},${b},`, "date,a,b,"),
      "a column without a name and without values left out",
    ],
    [
      "empty rows behind it",
      `${file((d, a, b) => `${d},${a},${b}`)},,\n,,\n`,
      "2 rows of empty cells left out, the first is row 62",
    ],
    [
      "the newest row first",
      file(
        (_, __, ___, i) => `${iso(hours[59 - i]!)},${value(59 - i).toFixed(2)},${value(68 - i).toFixed(1)}`,
      ),
      "the newest row came first: turned round",
    ],
  ])("%s", (_, text, note) => {
    const { table, notes } = parseCsv("x", text);
    expect(table.columns).toEqual(plain.columns);
    expect(table.values).toEqual(plain.values);
    expect(table.timestamps).toEqual(plain.timestamps);
    expect(notes).toEqual(note === undefined ? [] : [note]);
  });

  it("blanks around quotes", () => {
    const { table } = parseCsv(
      "x",
      file((d, a, b) => `"${d}" , "${a}", "${b}"`, '"date", "a", "b"'),
    );
    expect(table).toMatchObject({ columns: ["a", "b"], values: plain.values, timestamps: plain.timestamps });
  });

  it("dates in two columns, in years, months, days and hours, and beside others", () => {
    for (const text of [
      file((d, a, b) => `${d.replace(" ", ",")},${a},${b}`, "Date,Time,a,b"),
      file(
        (_, a, b, i) => `2024,1,${hours[i]!.getUTCDate()},${hours[i]!.getUTCHours()},${a},${b}`,
        "year,month,day,hour,a,b",
      ),
      file((d, a, b, i) => `${d.slice(0, 10)},${hours[i]!.getUTCHours()},${a},${b}`, "date,hour,a,b"),
    ]) {
      const { table } = parseCsv("x", text);
      expect(table.timestamps).toEqual(plain.timestamps);
      expect(table.values).toEqual(plain.values);
      // What follows joins back: the columns of the date are those of the file.
      const next = parseCsv("x", text + following(table).split("\n")[1]);
      expect(next.table.rows).toBe(61);
      expect(next.table.step?.irregular).toBe(0);
    }
    const two = file(
      (d, a, b, i) => `${d},${iso(new Date(hours[i]!.getTime() + hour))},${a},${b}`,
      "utc,local,a,b",
    );
    expect(parseCsv("x", two)).toMatchObject({
      table: { columns: ["a", "b"] },
      notes: ['the column "local" holds dates: left out'],
    });
  });
});

/** The row after a table, as a file of the kind. */
function following(table: Table): string {
  const { timestamps, offsets, ...more } = withFutureRows(table, 1);
  const from = table.rows;
  return formatCsv({
    ...more,
    rows: 1,
    values: more.values.slice(from * table.columns.length),
    timestamps: timestamps!.slice(from),
    offsets: offsets?.slice(from),
  });
}

describe("where nothing decides", () => {
  it("1,234 is refused with both options, unless they or an earlier file say it", () => {
    const text = 'a,b\n"1,234","5,678"\n"2,345","6,789"\n';
    expect(() => parseCsv("x", text)).toThrow(
      '"1,234" may be a decimal or a thousand. Give --decimal "," or --thousands ","',
    );
    expect(parseCsv("x", text, { decimal: "," }).table.values[0]).toBe(1.234);
    expect(parseCsv("x", text, { thousands: "," }).table.values[0]).toBe(1234);
    const like = { delimiter: ",", decimal: ".", thousands: "," } as const;
    expect(parseCsv("x", text, { like }).table.values[0]).toBe(1234);
  });

  it("1.234 between semicolons is refused as well, unless another cell says it", () => {
    const text = "a;b\n1.234;5\n2.345;6\n";
    expect(() => parseCsv("x", text)).toThrow('Give --decimal "." or --thousands "."');
    expect(parseCsv("x", text, { thousands: "." }).table.values[0]).toBe(1234);
    expect(parseCsv("x", text, { like: { delimiter: ";", decimal: "." } }).table.values[0]).toBe(1.234);
    expect(parseCsv("x", `${text}0.125;7\n`).table.values[0]).toBe(1.234);
    expect(parseCsv("x", `${text}1.234,5;7\n`).table.values[0]).toBe(1234);
  });

  it("1.234 in a column with 999 is refused, with 1500 it is not", () => {
    const text = (other: string) => `a,b\n1.234,0.5\n${other},0.25\n2.345,1\n`;
    expect(() => parseCsv("x", text("999"), { series: ["a"] })).toThrow(
      '"1.234" may be a decimal or a thousand',
    );
    expect(parseCsv("x", text("1500"), { series: ["a"] }).table.values[0]).toBe(1.234);
    expect(parseCsv("x", text("999")).table.values[0]).toBe(1.234);
  });

  it("columns without names are those of an earlier file only if as many", () => {
    const { reading } = parseCsv("x", "1,2,3\n2,3,4\n");
    const read = (text: string) => parseCsv("y", text, { like: reading, series: ["series_1", "series_2"] });
    expect(read("5,6,7\n6,7,8\n").table.rows).toBe(2);
    expect(() => read("4,5,6,7\n5,6,7,8\n")).toThrow("data y: rows of 4 cells without names, but 3 were");
    expect(read("series_1,series_2\n1,2\n").table.rows).toBe(1);
  });

  it("a series named by pieces of a name with commas is found", () => {
    const text = '"load, north",b\n1,2\n3,4\n';
    expect(parseCsv("x", text, { series: ["b", "load", "north"] }).table.columns).toEqual([
      "b",
      "load, north",
    ]);
  });
});

describe("long tables", () => {
  const long = (ids: string[], sorted: boolean) => {
    const rows = hours.flatMap((date, i) => ids.map((id, s) => [id, iso(date), `${value(i) + s}`]));
    if (sorted) rows.sort(([a], [b]) => (a! < b! ? -1 : a! > b! ? 1 : 0));
    return `id,date,y\n${rows.map((row) => row.join(",")).join("\n")}\n`;
  };

  it.each([true, false])("are turned, sorted by series: %s", (sorted) => {
    const { table } = parseCsv("x", long(["north", "south"], sorted), { pivot: "id" });
    expect(table).toMatchObject({
      rows: 60,
      columns: ["north", "south"],
      step: { label: "1 h", irregular: 0 },
    });
    expect(table.values[3]).toBe(value(1) + 1);
  });

  it("are refused with the column to give, of text or of numbers", () => {
    expect(() => parseCsv("x", long(["north", "south"], false))).toThrow('Then give --pivot "id"');
    expect(() => parseCsv("x", long(["1", "2", "3"], false))).toThrow('give --pivot "id"');
  });

  it("tell the two hours of autumn apart, series by series", () => {
    const night = ["00:00", "01:00", "02:00", "02:00", "03:00", "04:00"];
    const text = `id,date,y\n${night.flatMap((at, i) => ["n", "s"].map((id) => `${id},2024-10-27 ${at},${i}`)).join("\n")}`;
    const { table } = parseCsv("x", text, { pivot: "id", timeZone: "Europe/Berlin" });
    expect(table).toMatchObject({ rows: 6, step: { label: "1 h", irregular: 0 } });
    expect(() => parseCsv("x", text, { pivot: "id" })).toThrow("--time-zone Europe/Berlin");
  });

  it("have unlike names for their series, and no more cells than rows can fill", () => {
    const day = "2024-01-01";
    const text = `date,id,b c,c\n${day},a,1,2\n${day},a b,3,4\n${day},date,5,6\n`;
    const { table } = parseCsv("x", text, { pivot: "id" });
    expect(table.columns).toEqual(["a b c", "a c", "a b b c", "a b c.1", "date b c", "date c"]);
    expect(parseCsv("x", "date,id,v\n2024-01-01,date,1\n", { pivot: "id" }).table.columns).toEqual([
      "date.1",
    ]);
    const each = Array.from({ length: 1100 }, (_, i) => `${new Date(i * hour).toISOString()},${i},1`);
    expect(() => parseCsv("x", `date,id,v\n${each.join("\n")}`, { pivot: "id" })).toThrow(
      "1100 rows would become 1100 moments of 1100 series, nearly all of them missing. Is --pivot the right column?",
    );
  });

  it("may lack rows, which are missing, but have none twice", () => {
    const lines = long(["n", "s"], false).split("\n");
    const holed = lines.toSpliced(4, 1).join("\n");
    expect(() => parseCsv("x", holed, { pivot: "id" })).toThrow("1 values are missing (s)");
    expect(parseCsv("x", holed, { pivot: "id", missing: "forward-fill" }).missing.cells).toBe(1);
    const doubled = lines.toSpliced(4, 0, lines[4]!).join("\n");
    expect(() => parseCsv("x", doubled, { pivot: "id" })).toThrow(
      'row 6: is the second of "s" at its moment',
    );
  });
});

describe("values that are none", () => {
  const marked = file((d, a, b, i) => `${d},${i % 20 === 3 ? -9999 : a},${i === 7 ? "broken" : b}`);
  it("are suspected, and missing where it is said", () => {
    expect(() => parseCsv("x", marked)).toThrow('"broken" is not a number');
    const { notes } = parseCsv("x", marked, { na: [{ values: ["broken"] }], missing: "forward-fill" });
    expect(notes[0]).toMatch(/^column "a": -9999 stands there 3 times, far from all other values/);
    const na = [{ column: "a", values: ["-9999"] }, { values: ["BROKEN"] }];
    const { notes: none, missing } = parseCsv("x", marked, { na, missing: "forward-fill" });
    expect(none).toEqual([]);
    expect(missing.bySeries).toEqual({ a: 3, b: 1 });
  });

  it("are named by columns that there are; markers that no cell holds are said", () => {
    const text = file((d, a, b, i) => `${d},${i === 3 ? "X" : a},${b}`);
    const read = (na: { column?: string; values: string[] }) =>
      parseCsv("x", text, { na: [na], missing: "forward-fill" });
    expect(read({ column: "a", values: ["x"] })).toMatchObject({ missing: { cells: 1 }, notes: [] });
    expect(read({ values: ["x", "-1.50"] }).notes).toEqual(['no cell holds "-1.50" (--na)']);
    expect(() => read({ column: "A", values: ["x"] })).toThrow(
      '--na column "A" is not known. Did you mean "a"?',
    );
  });

  it("are not suspected in flags, counts and single spikes", () => {
    expect(
      parseCsv(
        "x",
        file((d, a, _, i) => `${d},${i === 30 ? 5000 : a},${i % 9 === 0 ? 1 : 0}`),
      ).notes,
    ).toEqual([]);
  });

  it("beyond 32-bit numbers are refused", () => {
    expect(() => parseCsv("x", "a\n1\n1e39\n")).toThrow(
      'row 3, column "a": 1e39 is beyond the 32-bit numbers',
    );
  });
});

describe("other containers and encodings", () => {
  it.each([
    ["PAR1....", "x.parquet", "is a Parquet file, not CSV. Make a CSV file of it: python -c 'import pandas"],
    ["PK\x03\x04....", "x.xlsx", "is a workbook, not CSV"],
    ["PK\x03\x04....", "x.zip", "is a zip archive, not CSV. Unpack it: unzip x.zip"],
    ['[{"a": 1}]', "x.json", "is JSON, not CSV. Make a CSV file of it"],
    ["<!DOCTYPE html><p>", "x.csv", "is HTML or XML, not CSV"],
  ])("%j as %s", (text, name, message) => {
    expect(isDataFile(name)).toBe(true);
    expect(() => parseCsv(name, Buffer.from(text, "latin1"))).toThrow(`data ${name}: ${message}`);
  });

  it("bytes of another encoding than the one given, or cut short, are refused in a line", () => {
    const text = file((d, a, b) => `${d},${a},${b}`, "date,ä,b");
    const message = /^data x: is not utf-(8|16le) throughout/;
    expect(() => parseCsv("x", Buffer.from(text, "latin1"), { encoding: "utf-8" })).toThrow(message);
    expect(() => parseCsv("x", Buffer.from(`\uFEFF${text}`, "utf16le").subarray(0, -1))).toThrow(message);
    const big = Buffer.from(`\uFEFF${text}`, "utf16le").swap16();
    expect(parseCsv("x", big, { encoding: "utf-16" }).table.columns).toEqual(["ä", "b"]);
  });

  it("byte order marks may stand where files were joined, and before what is not UTF-8", () => {
    const text = file((d, a, b, i) => `${i === 30 ? '\uFEFF"' : '"'}${d}",${a},${b}`);
    expect(parseCsv("x", `\uFEFF${text}`).table).toMatchObject({
      rows: 60,
      dates: { columns: [{ name: "date" }] },
    });
    const mixed = Buffer.concat([Buffer.from("\uFEFF"), Buffer.from("date,ä\n2024-01-01,1\n", "latin1")]);
    expect(parseCsv("x", mixed).table).toMatchObject({
      columns: ["ä"],
      dates: { columns: [{ name: "date" }] },
    });
  });

  it("Latin-1 is decoded and said; another encoding may be given", () => {
    const { table, notes } = parseCsv("x", Buffer.from("Größe\n1\n2\n", "latin1"));
    expect(table.columns).toEqual(["Größe"]);
    expect(notes).toEqual(["not UTF-8, read as Windows-1252 (Latin-1); --encoding takes another"]);
    expect(parseCsv("x", Buffer.from([0x8f, 10, 49, 10]), { encoding: "ibm866" }).table.columns).toEqual([
      "П",
    ]);
    expect(() => parseCsv("x", Buffer.from("a\n1\n"), { encoding: "klingon" })).toThrow(
      '"klingon" is not known',
    );
  });

  it("gzip is unpacked", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "x.csv.gz"), gzipSync("a\n1\n2\n"));
    const { table } = await loadDataset(join(folder, "x.csv.gz"));
    expect(table.rows).toBe(2);
    await writeFile(join(folder, "y.csv.gz"), gzipSync("a\n1\n2\n").subarray(0, 12));
    await expect(loadDataset(join(folder, "y.csv.gz"))).rejects.toThrow("is packed by gzip and damaged");
  });
});

describe("clocks with summer time", () => {
  const zone = "Europe/Berlin";
  const local = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  const instants = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i * hour);
  const text = (times: number[], show: (time: number) => string) =>
    `date,a\n${times.map((time, i) => `${show(time)},${i}`).join("\n")}\n`;
  const offset = (time: number) =>
    local.format(time).slice(11, 13) === new Date(time + hour).toISOString().slice(11, 13)
      ? "+01:00"
      : "+02:00";

  it.each([
    ["spring", Date.UTC(2024, 2, 20)],
    ["autumn", Date.UTC(2024, 9, 15)],
  ])("go on across the change in %s, to the second", (_, from) => {
    for (const count of [200, 270, 320]) {
      const times = instants(from, count + 60);
      const { table, notes } = parseCsv(
        "x",
        text(times.slice(0, count), (time) => local.format(time)),
        { timeZone: zone },
      );
      expect(table.step).toMatchObject({ label: "1 h", irregular: 0 });
      expect(notes).toEqual([]);
      const more = withFutureRows(table, 60);
      const dates = formatCsv(more)
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.split(",")[0]);
      expect(dates).toEqual(times.map((time) => local.format(time)));
    }
  });

  it("with offsets go on by the zone that the file's changes show", () => {
    const times = instants(Date.UTC(2024, 2, 20), 5500);
    const show = (time: number) => `${local.format(time).replace(" ", "T")}${offset(time)}`;
    const { table } = parseCsv("x", text(times.slice(0, 5000), show));
    expect(table.step).toMatchObject({ label: "1 h", irregular: 0 });
    const dates = formatCsv(withFutureRows(table, 500))
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(",")[0]);
    expect(dates).toEqual(times.map(show));
  });

  it.each(["Z", "+00:00", " UTC"])("of which the texts are in UTC (%s) are written so again", (mark) => {
    const text = `date,a\n${hours.map((date, i) => `${iso(date)}${mark},${i}`).join("\n")}\n`;
    const { table } = parseCsv("x", text, { timeZone: "Europe/Berlin" });
    expect(table.timestamps![0]).toBe(hours[0]!.getTime() + hour);
    expect(following(table).split("\n")[1]).toBe(`2024-01-27 12:00${mark},0`);
  });

  it("without a zone are told of, not sorted or refused", () => {
    const quarters = Array.from({ length: 400 }, (_, i) => Date.UTC(2024, 9, 25) + (i * hour) / 4);
    const { notes, table } = parseCsv(
      "x",
      text(quarters, (time) => local.format(time)),
    );
    expect(table.rows).toBe(400);
    expect(notes[0]).toContain(
      "the clock is set back at 2024-10-27 02:00:00 (summer time? --time-zone Europe/Berlin",
    );
    expect(() =>
      parseCsv(
        "x",
        text(instants(Date.UTC(2024, 2, 30), 60), (time) => new Date(time).toISOString().slice(0, 19)),
        { timeZone: zone },
      ),
    ).toThrow("2024-03-31T02:00:00 is skipped by the clocks of Europe/Berlin");
  });

  it("days are days of the wall clock", () => {
    const days = Array.from({ length: 20 }, (_, i) => `2024-03-${`${i + 20}`.padStart(2, "0")}`).slice(0, 12);
    const { table } = parseCsv(
      "x",
      `date,a\n${days.map((day, i) => `${day}T00:00${i < 12 ? "+01:00" : ""},${i}`).join("\n")}\n`,
      { timeZone: zone },
    );
    const next = formatCsv(withFutureRows(table, 2))
      .trim()
      .split("\n")
      .slice(-2)
      .map((line) => line.split(",")[0]);
    expect(next).toEqual(["2024-04-01T00:00+02:00", "2024-04-02T00:00+02:00"]);
  });
});

describe("what a reader of a file is told", () => {
  const notes = (text: string | Uint8Array) => parseCsv("f", text).notes;
  const days = (row: (i: number) => string, header: string, count = 60) =>
    `${header}\n${Array.from({ length: count }, (_, i) => row(i)).join("\n")}\n`;

  it.each<[string, string, RegExp]>([
    [
      "names that stand there twice",
      file((d, a, b) => `${d},${a},${b}`, "date,a,a"),
      /called "a", too: this one is "a\.1"/,
    ],
    [
      "no names",
      file((d, a, b) => `${d},${a},${b}`, "2024-01-24 23:00,1,2"),
      /no names in the first row: the series are "series_2", "series_3"/,
    ],
    [
      "an index with a name",
      file((d, a, _, i) => `${i + 1},${d},${a}`, "id,date,a"),
      /the column "id" counts the rows: left out/,
    ],
    [
      "a series that counts up",
      file((d, a, _, i) => `${d},${a},${i + 1}`, "date,a,meter"),
      /the column "meter" counts up by one .* leave it out/,
    ],
    [
      "a time in fractions of years",
      days((i) => `${(1950 + i / 12).toFixed(4)},${value(i)}`, "decimal date,a"),
      /the column "decimal date" only rises/,
    ],
    [
      "a row of totals with a date",
      `${days((i) => `2024-01-01 00:${`${i}`.padStart(2, "0")},${i % 7},2.5`, "date,a,b")}2024-01-01 01:00,174,150\n`,
      /the last row is the sum of all others/,
    ],
    [
      "identifiers among the series",
      days((i) => `${9007199254740993n + BigInt(i)},${value(i)}`, "key,a"),
      /column "key": numbers of more than 15 digits lose the last ones/,
    ],
    [
      "half an hour of summer time",
      days(
        (i) => `${iso(new Date(Date.UTC(2024, 3, 6, 0) + i * hour - (i > 25 ? hour / 2 : 0)))},${value(i)}`,
        "date,a",
      ),
      /summer time\?/,
    ],
  ])("%s", (_, text, note) => {
    expect(notes(text).filter((line) => note.test(line))).toHaveLength(1);
  });

  it.each<[string, string, string[]]>([
    ["years of any century", days((i) => `${1480 + i},${value(i)}`, "year,a"), ["1480", "1539"]],
    [
      "hours without separators",
      file((d, a) => `${d.slice(0, 13).replaceAll(/[- ]/g, "")},${a}`, "date,a"),
      ["2024012500", "2024012711"],
    ],
    [
      "p.m.",
      days(
        (i) =>
          `${1 + Math.floor(i / 24)}/3/2024 ${i % 12 || 12}:00 ${i % 24 < 12 ? "a.m." : "p.m."},${value(i)}`,
        "date,a",
      ),
      ["1/3/2024 12:00 a.m.", "3/3/2024 11:00 a.m."],
    ],
  ])("%s are dates, and are written as they were", (_, text, [first, last]) => {
    const { table, reading } = parseCsv("f", text);
    expect(table.columns).toEqual(["a"]);
    const lines = formatCsv(table, reading).trim().split("\n");
    expect([lines[1]!.split(",")[0], lines.at(-1)!.split(",")[0]]).toEqual([first, last]);
  });

  it.each<[string, string, RegExp]>([
    [
      "a word among numbers",
      file((d, a, b, i) => `${d},${i === 9 ? "k. A." : a},${b}`),
      /row 11, column "a": .* If it stands for a missing value, give --na "k\. A\."/,
    ],
    [
      "a quote that is not closed",
      file((d, a, b, i) => `${d},${i === 9 ? '"' : ""}${a},${b}`),
      /row 11: a quote opens here/,
    ],
    [
      "a header's quote that is not closed",
      file((d, a, b) => `${d},${a},${b}`, 'date,"a,b'),
      /row 1: a quote opens here/,
    ],
    [
      "a remark behind the rows",
      `${file((d, a, b) => `${d},${a},${b}`)}\nSource: X\n`,
      /row 63: "Source: X" is alone in a row of 3 cells. Delete the row/,
    ],
    ["a quote within a cell", file((d, a, b) => `${d},${a},${b}"`), /row 2: a quote stands in the middle/],
    [
      "quotes one of which is not closed",
      file((d, a, b, i) => `${d},${i === 9 || i === 20 ? '"' : ""}${a},${b}`),
      /row 11: text follows a closing quote/,
    ],
    ["single quotes", file((d, a, b) => `'${d}','${a}','${b}'`), /only double quotes/],
    [
      "a spreadsheet's error",
      file((d, a, b, i) => `${d},${i === 9 ? "#DIV/0!" : a},${b}`),
      /row 11, column "a": .* Give --missing forward-fill/,
    ],
    [
      "a row of totals",
      `${file((d, a, b) => `${d},${a},${b}`)}Total,1,2\n`,
      /row 62, column "date": "Total" is not a date\. Does the last row hold totals/,
    ],
    [
      "a header in the middle",
      `${file((d, a, b) => `${d},${a},${b}`)}2024-02-01,a,b\n`,
      /row 62: "a" is the name of the column\. Were files put one after the other\? Delete the row/,
    ],
    [
      "numbers with letters",
      file((d, a, b) => `${d},${a}M,${b}k`),
      /row 2, column "a": "1000.00M" is not a number\. Correct/,
    ],
    [
      "blanks between cells",
      file((d, a, b) => `${d.replace(" ", "T")} ${a} ${b}`, "date a b"),
      /Give --delimiter " "/,
    ],
    [
      "series in rows",
      `name,${hours.map(iso).join()}\na,${hours.map((_, i) => i).join()}\n`,
      /turn the table round/,
    ],
    [
      "a rare separator",
      file((d, a, b) => `${d}^${a}^${b}`, "date^a^b"),
      /Does "\^" separate the cells\? Give it by --delimiter/,
    ],
    [
      "columns of fixed width",
      file((d, a, b) => `${d}   ${a}   ${b}`, "date   a   b"),
      /Do blanks separate the cells\?/,
    ],
    [
      "rows within a millisecond",
      days((i) => `2024-01-01T00:00:00.${`${i * 100}`.padStart(6, "0")},${value(i)}`, "date,a"),
      /dates are kept to the millisecond\. Give --date-column none/,
    ],
  ])("%s is refused with what to do", (_, text, message) => {
    expect(() => parseCsv("f", text)).toThrow(message);
  });

  it("reads UTF-16 without a byte order mark, and minus signs of typographers", () => {
    const text = file((d, a, b) => `${d},\u2212${a},${b}`);
    const { table } = parseCsv("f", Buffer.from(text, "utf16le"));
    expect(table.values[0]).toBe(-1000);
    expect(parseCsv("f", Buffer.from(text, "utf16le").swap16()).table.values).toEqual(table.values);
  });
});
