import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseEpoch, parseTimestamp } from "../src/timestamps.ts";

describe("dates", () => {
  it.each([
    ["2016-07-01 00:00:00", Date.UTC(2016, 6, 1)],
    ["1990/1/1 0:00", Date.UTC(1990, 0, 1)],
    ["2010/10/10", Date.UTC(2010, 9, 10)],
    ["01.02.2020 00:10:00", Date.UTC(2020, 1, 1, 0, 10)],
    ["2020-02-29T23:59:58.25Z", Date.UTC(2020, 1, 29, 23, 59, 58, 250)],
    ["2020-02-29 12:00:00+02:00", Date.UTC(2020, 1, 29, 12)],
    ["2022-12-31 24:00", Date.UTC(2023, 0, 1)],
  ])("%s is read as the wall clock shows it", (text, expected) => {
    expect(parseTimestamp(text)).toBe(expected);
  });

  it.each([
    "",
    "2021-02-29",
    "2021-13-01",
    "2021-01-01 25:00",
    "2021-01-01 00:60",
    "01/02/2021",
    "2021",
    "1.5",
  ])('"%s" is not read', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });

  it("every moment that Date writes is read back", () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
        (date) => {
          expect(parseTimestamp(date.toISOString())).toBe(date.getTime());
        },
      ),
    );
  });

  it("seconds and milliseconds since 1970 are told apart by their digits", () => {
    expect(parseEpoch("1467331200")).toBe(1467331200000);
    expect(parseEpoch("1467331200000")).toBe(1467331200000);
    expect(parseEpoch("12")).toBeUndefined();
  });
});
