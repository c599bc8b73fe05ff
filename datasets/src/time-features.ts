import { isoWeek } from "./dates/week.ts";
import type { Frequency } from "./frequency.ts";

/** Time marks of every row of a table: calendar features in [-0.5, 0.5], or calendar numbers. */
export interface TimeFeatures {
  readonly frequency: Frequency;
  /** The features' names, in their order along the last axis. */
  readonly names: readonly string[];
  /** Row-major `[rows × names.length]`. */
  readonly values: Float32Array;
}

type Feature = readonly [name: string, of: (date: Date) => number];

const secondOfMinute: Feature = ["SecondOfMinute", (date) => date.getUTCSeconds() / 59];
const minuteOfHour: Feature = ["MinuteOfHour", (date) => date.getUTCMinutes() / 59];
const hourOfDay: Feature = ["HourOfDay", (date) => date.getUTCHours() / 23];
const dayOfWeek: Feature = ["DayOfWeek", (date) => ((date.getUTCDay() + 6) % 7) / 6];
const dayOfMonth: Feature = ["DayOfMonth", (date) => (date.getUTCDate() - 1) / 30];
const dayOfYear: Feature = ["DayOfYear", (date) => daysIntoYear(date) / 365];
const weekOfYear: Feature = ["WeekOfYear", (date) => (isoWeek(date).week - 1) / 52];
const monthOfYear: Feature = ["MonthOfYear", (date) => date.getUTCMonth() / 11];

const daily = [dayOfWeek, dayOfMonth, dayOfYear];

const features: Readonly<Record<Frequency, readonly Feature[]>> = {
  s: [secondOfMinute, minuteOfHour, hourOfDay, ...daily],
  t: [minuteOfHour, hourOfDay, ...daily],
  h: [hourOfDay, ...daily],
  d: daily,
  w: [dayOfMonth, weekOfYear],
  m: [monthOfYear],
  q: [monthOfYear],
  y: [],
};

/**
 * Calendar features as GluonTS and Time-Series-Library (`embed: timeF`) have them, in their order.
 * For `h`: hour / 23, weekday / 6 (Monday 0), (day − 1) / 30, (day of year − 1) / 365, each − 0.5.
 *
 * @param timestamps `[rows]`, milliseconds of the wall clock read as UTC.
 */
export function timeFeatures(timestamps: Float64Array, frequency: Frequency): TimeFeatures {
  return valuesOf(timestamps, frequency, features[frequency], -0.5);
}

const calendar: readonly Feature[] = [
  ["Month", (date) => date.getUTCMonth() + 1],
  ["DayOfMonth", (date) => date.getUTCDate()],
  ["DayOfWeek", (date) => (date.getUTCDay() + 6) % 7],
  ["HourOfDay", (date) => date.getUTCHours()],
];
const quarterOfHour: Feature = ["QuarterOfHour", (date) => Math.floor(date.getUTCMinutes() / 15)];

/**
 * Calendar numbers as Time-Series-Library has them (`embed: fixed` or `learned`), in its order: month (from 1), day of the
 * month, weekday (Monday 0), hour; for `t` also the quarter of the hour.
 *
 * @param timestamps `[rows]`, milliseconds of the wall clock read as UTC.
 */
export function calendarNumbers(timestamps: Float64Array, frequency: Frequency): TimeFeatures {
  return valuesOf(timestamps, frequency, calendarOf(frequency), 0);
}

function calendarOf(frequency: Frequency): readonly Feature[] {
  return frequency === "t" ? [...calendar, quarterOfHour] : calendar;
}

function valuesOf(
  timestamps: Float64Array,
  frequency: Frequency,
  chosen: readonly Feature[],
  shift: number,
): TimeFeatures {
  const values = new Float32Array(timestamps.length * chosen.length);
  let to = 0;
  for (const timestamp of timestamps) {
    const date = new Date(timestamp);
    for (const [, of] of chosen) values[to++] = of(date) + shift;
  }
  return { frequency, names: chosen.map(([name]) => name), values };
}

/** Names of the features of a frequency, without any data: their count is the width of a model's time marks. */
export function timeFeatureNames(frequency: Frequency): readonly string[] {
  return features[frequency].map(([name]) => name);
}

/** The width of time marks of a frequency: calendar numbers, or features. */
export function markCount(frequency: Frequency, calendar: boolean): number {
  return (calendar ? calendarOf(frequency) : features[frequency]).length;
}

function daysIntoYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);
}
