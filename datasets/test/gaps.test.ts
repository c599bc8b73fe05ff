import { describe, expect, it } from "vitest";
import { forecastingDataOf, type GapRule, type Table, windows } from "../src/index.ts";
import { parseCsv } from "../src/node/index.ts";

const hour = 3_600_000;
const stamp = (time: number) => new Date(time).toISOString().slice(0, 16).replace("T", " ");
const start = Date.UTC(2024, 0, 1);

/** Hours of a ramp, without those in a gap. */
function hours(count: number, without: (i: number) => boolean): string {
  const rows = Array.from({ length: count }, (_, i) => i).filter((i) => !without(i));
  return `date,a\n${rows.map((i) => `${stamp(start + i * hour)},${i}`).join("\n")}\n`;
}

const torn = hours(100, (i) => i >= 30 && i < 35);
const read = (text: string, gaps?: GapRule) => parseCsv("x.csv", text, { gaps, missing: "interpolate" });

describe("an irregular time axis", () => {
  it("is said, with the place", () => {
    const { notes, table } = read(torn);
    expect(table.rows).toBe(95);
    expect(notes).toEqual([
      "rows every 1 h, but 5 rows are missing after 2024-01-02 05:00; windows reach across (--gaps fill or split changes that)",
    ]);
    expect(read(hours(100, () => false)).notes).toEqual([]);
  });

  it("is refused on request", () => {
    expect(() => read(torn, "error")).toThrow("5 rows are missing after 2024-01-02 05:00. Give --gaps fill");
  });

  it("is filled on request: the rows are those that were missing", () => {
    const { table, notes } = read(torn, "fill");
    expect(table.values).toEqual(read(hours(100, () => false)).table.values);
    expect(table).toMatchObject({ rows: 100, step: { irregular: 0 } });
    expect(notes[0]).toContain("5 filled by interpolate");
  });

  it("is not filled with millions of rows for one wrong date", () => {
    const text = "date,a\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 02:00,3\n2924-01-01 03:00,4\n";
    expect(() => parseCsv("x", text, { gaps: "fill" })).toThrow(
      "the widest is before 2924-01-01 03:00. Correct that date",
    );
  });

  it("splits windows on request: none reaches across", () => {
    const { table } = read(torn, "split");
    const set = windows(table, { start: 0, end: 95 }, { inputLength: 8, horizon: 4 });
    expect(set.count).toBe(30 - 12 + 1 + 65 - 12 + 1);
    for (let i = 0; i < set.count; i++) {
      const { x, y } = set.batch([i]);
      const values = [...x, ...y];
      expect(values.every((value, k) => k === 0 || value === values[k - 1]! + 1)).toBe(true);
    }
  });

  it("that leaves no window is refused", () => {
    const shreds = parseCsv(
      "x.csv",
      hours(400, (i) => i % 10 === 9),
      { gaps: "split" },
    );
    const source = { name: "x", checksum: "", splits: { shares: [0.7, 0.1, 0.2] }, ...shreds } as const;
    expect(() => forecastingDataOf(source, { inputLength: 8, horizon: 4 })).toThrow(
      "between its 39 gaps no window fits into the training split",
    );
  });

  it("with repeated moments keeps the last of each when filled, and cannot fill rows between steps", () => {
    const doubled = torn.replace("2024-01-01 03:00,3\n", "2024-01-01 03:00,7\n2024-01-01 03:00,3\n");
    expect(read(doubled).notes[0]).toContain("1 row repeats the moment before at 2024-01-01 03:00");
    expect(read(doubled, "fill").table.values[3]).toBe(3);
    const between = torn.replace("2024-01-01 03:00", "2024-01-01 02:30");
    expect(() => read(between, "fill")).toThrow("is not a whole number of steps of 1 h after");
  });
});

describe("calendars", () => {
  const table = (dates: string[]): Table =>
    parseCsv("x.csv", `date,a\n${dates.map((date, i) => `${date},${i}`).join("\n")}\n`).table;
  const days = (count: number, keep: (date: Date) => boolean) =>
    Array.from({ length: count }, (_, i) => new Date(start + i * 24 * hour)).filter(keep);
  const iso = (date: Date) => date.toISOString().slice(0, 10);

  it("of business days know holidays from weekends", () => {
    const business = days(200, (date) => date.getUTCDay() % 6 !== 0 && iso(date) !== "2024-05-01");
    const { notes } = parseCsv(
      "x.csv",
      `date,a\n${business.map((date, i) => `${iso(date)},${i}`).join("\n")}\n`,
    );
    expect(notes[0]).toContain("rows every 1 business day, but 1 row is missing after 2024-04-30");
  });

  it("of months, quarters and years count in months", () => {
    const of = (months: number, count: number) =>
      table(Array.from({ length: count }, (_, i) => iso(new Date(Date.UTC(1990, i * months, 1))))).step;
    expect(of(1, 40)).toMatchObject({ label: "1 month", irregular: 0 });
    expect(of(3, 40)).toMatchObject({ label: "3 months", irregular: 0 });
    expect(of(12, 40)).toMatchObject({ label: "1 year", irregular: 0 });
    const ends = Array.from({ length: 30 }, (_, i) => iso(new Date(Date.UTC(2020, i + 1, 0))));
    expect(table(ends).step).toMatchObject({ label: "1 month", irregular: 0, calendar: { day: 31 } });
  });

  it("of shops that close on one day of the week", () => {
    const open = days(100, (date) => date.getUTCDay() !== 0);
    expect(table(open.map(iso)).step).toMatchObject({
      label: "1 day of Mon, Tue, Wed, Thu, Fri, Sat",
      irregular: 0,
    });
  });
});
