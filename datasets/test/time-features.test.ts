import { describe, expect, it } from "vitest";
import {
  calendarNumbers,
  type Frequency,
  frequencyOf,
  type Table,
  timeFeatureNames,
  timeFeatures,
} from "../src/index.ts";

/** By Python's datetime. */
const leapDay = {
  SecondOfMinute: 0.48305084745762716,
  MinuteOfHour: 0.5,
  HourOfDay: 0.5,
  DayOfWeek: 0.33333333333333337,
  DayOfMonth: 0.43333333333333335,
  DayOfYear: -0.33835616438356164,
  MonthOfYear: -0.40909090909090906,
  WeekOfYear: -0.34615384615384615,
};

describe("time features", () => {
  it.each([
    ["s", ["SecondOfMinute", "MinuteOfHour", "HourOfDay", "DayOfWeek", "DayOfMonth", "DayOfYear"]],
    ["t", ["MinuteOfHour", "HourOfDay", "DayOfWeek", "DayOfMonth", "DayOfYear"]],
    ["h", ["HourOfDay", "DayOfWeek", "DayOfMonth", "DayOfYear"]],
    ["d", ["DayOfWeek", "DayOfMonth", "DayOfYear"]],
    ["w", ["DayOfMonth", "WeekOfYear"]],
    ["m", ["MonthOfYear"]],
    ["q", ["MonthOfYear"]],
    ["y", []],
  ] as const)("of frequency %s are GluonTS's, in Time-Series-Library's order", (frequency, names) => {
    const { values, names: given } = timeFeatures(
      Float64Array.of(Date.UTC(2020, 1, 29, 23, 59, 58)),
      frequency,
    );
    expect(given).toEqual(names);
    expect(timeFeatureNames(frequency)).toEqual(names);
    expect(values).toEqual(Float32Array.from(names, (name) => leapDay[name]));
  });

  it("count ISO weeks: the year's first days may lie in the week 53 before, its last in week 1", () => {
    const week = (date: number) => timeFeatures(Float64Array.of(date), "w").values[1];
    expect(week(Date.UTC(2021, 0, 3))).toBe(0.5);
    expect(week(Date.UTC(2018, 11, 31))).toBe(-0.5);
  });

  it.each<[number, Frequency]>([
    [1000, "s"],
    [600_000, "t"],
    [3_600_000, "h"],
    [86_400_000, "d"],
    [7 * 86_400_000, "w"],
    [31 * 86_400_000, "m"],
    [91 * 86_400_000, "q"],
    [365 * 86_400_000, "y"],
  ])("a step of %d ms is of frequency %s", (milliseconds, expected) => {
    const table: Table = {
      name: "a",
      columns: [],
      rows: 0,
      values: new Float64Array(),
      step: { milliseconds, label: "", irregular: 0 },
    };
    expect(frequencyOf(table)).toBe(expected);
    expect(() => frequencyOf({ ...table, step: undefined })).toThrow("data a: has no dates");
  });

  it("as calendar numbers count from where Time-Series-Library's tables do, and minutes by the quarter", () => {
    const moment = Float64Array.of(Date.UTC(2024, 1, 29, 23, 46));
    expect([...calendarNumbers(moment, "t").values]).toEqual([2, 29, 3, 23, 3]);
    expect(calendarNumbers(moment, "d")).toMatchObject({
      names: ["Month", "DayOfMonth", "DayOfWeek", "HourOfDay"],
      values: Float32Array.of(2, 29, 3, 23),
    });
  });
});
