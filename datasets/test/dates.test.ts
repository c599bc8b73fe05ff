import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { detectDates } from "../src/dates/column.ts";
import { wholeDateFormat } from "../src/dates/format.ts";
import { offsetAt, offsetsOf, zoneOf } from "../src/dates/zone.ts";
import { dateFormat } from "../src/index.ts";

const detect = (...texts: string[]) => detectDates(texts, true);
const hour = 3_600_000;

describe("dates", () => {
  it.each([
    ["2016-07-01 00:00:00", Date.UTC(2016, 6, 1)],
    ["1990/1/1 0:00", Date.UTC(1990, 0, 1)],
    ["2010/10/10", Date.UTC(2010, 9, 10)],
    ["01.02.2020 00:10:00", Date.UTC(2020, 1, 1, 0, 10)],
    ["2020-02-29T23:59:58.25Z", Date.UTC(2020, 1, 29, 23, 59, 58, 250)],
    ["2020-02-29t23:59:58z", Date.UTC(2020, 1, 29, 23, 59, 58)],
    ["2020-02-29 23:59 gmt", Date.UTC(2020, 1, 29, 23, 59)],
    ["2020-02-29 12:00:00+02:00", Date.UTC(2020, 1, 29, 12)],
    ["2022-12-31 24:00", Date.UTC(2023, 0, 1)],
    ["01/31/2024 1:05 PM", Date.UTC(2024, 0, 31, 13, 5)],
    ["31/01/24 12:00AM", Date.UTC(2024, 0, 31)],
    ["1/31/2024 1:05 pm", Date.UTC(2024, 0, 31, 13, 5)],
    ["31/01/2024 12:00:00 a.m.", Date.UTC(2024, 0, 31)],
    ["2024013106", Date.UTC(2024, 0, 31, 6)],
    ["1066", Date.UTC(1066, 0, 1)],
    ["01-Jan-2024 00:30", Date.UTC(2024, 0, 1, 0, 30)],
    ["Sept 5, 2023", Date.UTC(2023, 8, 5)],
    ["Mon, 02 Jan 2023", Date.UTC(2023, 0, 2)],
    ["1958-01", Date.UTC(1958, 0, 1)],
    ["Jan-58", Date.UTC(2058, 0, 1)],
    ["2020-W53", Date.UTC(2020, 11, 28)],
    ["2024Q3", Date.UTC(2024, 6, 1)],
    ["Q3 2024", Date.UTC(2024, 6, 1)],
    ["20240131", Date.UTC(2024, 0, 31)],
    ["20240131T0630", Date.UTC(2024, 0, 31, 6, 30)],
    ["1704067200", Date.UTC(2024, 0, 1)],
    ["1704067200000", Date.UTC(2024, 0, 1)],
    ["45292.041667", Date.UTC(2024, 0, 1, 1)],
    ["1958", Date.UTC(1958, 0, 1)],
  ])("%s is read as the wall clock shows it, and written in the same way", (text, expected) => {
    const read = detect(text);
    if (!("walls" in read)) throw new Error(`row ${read.row}: ${read.fault}`);
    expect(read.walls[0]).toBe(expected);
    const written = dateFormat(read.pattern).format({ wall: expected, offset: read.offsets?.[0] ?? 0 });
    const again = dateFormat(read.pattern).parse(written);
    expect(again?.wall).toBe(expected);
    if (!/24:00|Sept|\.25Z/.test(text)) expect(written).toBe(text);
  });

  it.each([
    "",
    "2021-02-29",
    "2021-13-01",
    "2021-01-01 25:00",
    "2021-01-01 00:60",
    "1.5",
    "13/13/2024",
    "32.01.2024",
    "2021-W53",
  ])('"%s" is not read', (text) => expect(detect(text)).toMatchObject({ fault: "format", row: 0 }));

  it("every moment that Date writes is read back", () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
        (date) => {
          expect(detect(date.toISOString())).toMatchObject({ walls: Float64Array.of(date.getTime()) });
        },
      ),
    );
  });

  it("a pattern writes what it reads, whichever its fields", () => {
    const patterns = [
      "dd/MM/yyyy HH:mm",
      "M/d/yy h:mm a",
      "EEE, dd MMM yyyy HH:mm:ss xx",
      "YYYY-'W'ww-e HH:mm",
      "yyyyMMddHHmm",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...patterns), fc.integer({ min: 0, max: 800_000 }), (pattern, hours) => {
        const moment = { wall: Date.UTC(1970, 0, 1) + hours * hour, offset: 0 };
        const format = dateFormat(pattern);
        expect(format.parse(format.format(moment))?.wall).toBe(moment.wall);
      }),
    );
  });

  it("patterns are Unicode's or strptime's; others are refused in one line", () => {
    expect(dateFormat("%d/%m/%Y %H:%M").parse("31/01/2024 06:30")?.wall).toBe(Date.UTC(2024, 0, 31, 6, 30));
    expect(dateFormat("%-d.%-m.%y").format({ wall: Date.UTC(2024, 0, 5) })).toBe("5.1.24");
    expect(() => dateFormat("DD/MM/YYYY")).toThrow('Did you mean "dd/MM/yyyy"?');
    expect(() => dateFormat("yyyy-MM-dd q")).toThrow('"q" is not known');
    expect(() => dateFormat("%Q")).toThrow('"%Q" is not known');
  });

  it("the whole column decides which number is the month", () => {
    expect(detect("01/02/2024", "01/03/2024", "01/13/2024")).toMatchObject({ pattern: "MM/dd/yyyy" });
    expect(detect("01/02/2024", "13/02/2024")).toMatchObject({ pattern: "dd/MM/yyyy" });
    const monthly = Array.from(
      { length: 24 },
      (_, i) => `01/${`${(i % 12) + 1}`.padStart(2, "0")}/${2020 + Math.floor(i / 12)}`,
    );
    expect(detect(...monthly)).toMatchObject({ pattern: "dd/MM/yyyy" });
    expect(detect("01/02/2024", "01/03/2024")).toMatchObject({
      fault: "order",
      patterns: ["dd/MM/yyyy", "MM/dd/yyyy"],
    });
    expect(detectDates(["01/02/2024", "01/03/2024"], true, "MM/dd/yyyy")).toMatchObject({
      pattern: "MM/dd/yyyy",
    });
    expect(detect("13/13/2024", "01/01/2024")).toMatchObject({ fault: "format", row: 0 });
  });

  it("years of two digits may be first", () => {
    const days = (from: number, step: number) =>
      Array.from({ length: 40 }, (_, i) => new Date(from + i * step * 24 * hour).toISOString().slice(2, 10));
    expect(detect(...days(Date.UTC(2024, 0, 5), 1))).toMatchObject({ pattern: "yy-MM-dd" });
    expect(detect("24-01-05", "24-01-06", "24-01-07")).toMatchObject({ pattern: "yy-MM-dd" });
    expect(detect("99-12-30", "99-12-31")).toMatchObject({ pattern: "yy-MM-dd" });
    expect(detect("05.01.24", "06.01.24", "07.01.24")).toMatchObject({ pattern: "dd.MM.yy" });
    expect(detect("24-01-01", "24-02-01", "24-03-01")).toMatchObject({
      fault: "order",
      firsts: ["day", "year"],
    });
  });

  it("a format of rows says whole dates", () => {
    const faults = {
      "MM-dd": "has no year",
      "mm/dd/yyyy": "has a day, but no month",
      "yyyy-MM-dd mm": "has minutes, but no hour",
      "yyyy-MM-dd hh:mm": "no AM or PM",
      "yyyy-'W'ww": "the year of weeks (ww) is YYYY",
    };
    for (const [pattern, fault] of Object.entries(faults))
      expect(() => wholeDateFormat(pattern)).toThrow(fault);
    for (const pattern of ["unix", "yyyy", "YYYY-'W'ww", "h a, d MMM yy", "yyyy-MM-ddTHH:mm:ssZ"])
      expect(wholeDateFormat(pattern)).toBe(dateFormat(pattern));
  });

  it("rows may say less than others, and zeros may lead or not", () => {
    expect(detect("01.01.2024", "01.01.2024 01:00")).toMatchObject({ pattern: "dd.MM.yyyy HH:mm" });
    expect(detect("9/9/2024", "9/10/2024", "9/30/2024")).toMatchObject({ pattern: "M/d/yyyy" });
    expect(detect("May 2024", "June 2024")).toMatchObject({ pattern: "MMMM yyyy" });
  });
});

describe("zones", () => {
  it("are ahead of UTC by what their clocks show, to the second of a change", () => {
    const change = Date.UTC(2024, 2, 31, 1);
    expect(offsetAt("Europe/Berlin", change - 1000)).toBe(hour);
    expect(offsetAt("Europe/Berlin", change)).toBe(2 * hour);
    expect(offsetAt("Asia/Kolkata", change)).toBe(5.5 * hour);
    expect(() => offsetAt("Mars/Olympus", 0)).toThrow('time zone "Mars/Olympus" is not known');
  });

  it("tell the two hours of autumn apart by their order, and find the one that spring leaves out", () => {
    const autumn = ["01:00", "02:00", "02:00", "03:00"].map((clock) => Date.parse(`2024-10-27T${clock}Z`));
    expect([...(offsetsOf("Europe/Berlin", Float64Array.from(autumn)) as Float64Array)]).toEqual(
      [2, 2, 1, 1].map((h) => h * hour),
    );
    const spring = Float64Array.of(Date.parse("2024-03-31T01:30Z"), Date.parse("2024-03-31T02:30Z"));
    expect(offsetsOf("Europe/Berlin", spring)).toEqual({ missing: 1 });
  });

  it("are found by their changes, so that those to come are known", () => {
    const instants = Float64Array.from({ length: 2000 }, (_, i) => Date.UTC(2024, 8, 1) + i * hour);
    const offsets = instants.map((instant) => offsetAt("America/New_York", instant));
    const zone = zoneOf(instants, offsets)!;
    expect(offsetAt(zone, Date.UTC(2025, 2, 9, 7))).toBe(-4 * hour);
    expect(zoneOf(instants.slice(0, 10), offsets.slice(0, 10))).toBeUndefined();
  });
});
