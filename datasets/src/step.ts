import type { Form } from "@espalier/core/forms";
import * as forms from "@espalier/core/forms";

/** The time from one row to the next. */
export interface Step {
  /** The median difference of neighbouring rows. */
  readonly milliseconds: number;
  /** The same for people: `1 h`, `15 min`, `7 days`, `1 month`, `1 business day`. */
  readonly label: string;
  /** How many neighbours are not one step apart: gaps and doubled timestamps. */
  readonly irregular: number;
  /** The calendar step of the rows, if they have no fixed number of milliseconds. */
  readonly calendar?: CalendarStep | undefined;
}

/** A step of the calendar. */
export type CalendarStep =
  /** So many months, on this day of the month; 31 for the last one. */
  | { readonly unit: "month"; readonly count: number; readonly day: number }
  /** Each of these days of the week, 1 for Monday to 7 for Sunday. */
  | { readonly unit: "weekday"; readonly days: readonly number[] };

/** A step without its faults: what a model's file remembers. */
export type KnownStep = Omit<Step, "irregular">;

const { count: whole, either, listOf, number, object, oneOf, text } = forms;

/** The form of a {@link KnownStep} in a file. */
export const stepForm: Form = object(
  { milliseconds: number, label: text },
  {
    calendar: either(
      "a step of the calendar",
      object({ unit: oneOf("month"), count: whole, day: whole }),
      object({ unit: oneOf("weekday"), days: listOf(whole, 1) }),
    ),
  },
  { open: true },
);

const day = 86_400_000;
/** A difference within this share of a step is one step: clocks of sensors waver. */
const tolerance = 0.1;

/** A clock's moments: what it shows, and how far it is ahead of UTC where that changes. */
export interface Clock {
  /** `[rows]`, milliseconds of the wall clock as if it were UTC. */
  readonly timestamps: Float64Array;
  /** `[rows]`, milliseconds ahead of UTC. */
  readonly offsets?: Float64Array | undefined;
}

/** The step of timestamps `[rows]`, ascending but for clocks that are set back; `undefined` for fewer than two rows. */
export function stepOf(timestamps: Float64Array, offsets?: Float64Array): Step | undefined {
  if (timestamps.length < 2) return undefined;
  const clock = { timestamps, offsets };
  const calendar = monthly(timestamps) ?? weekly(timestamps);
  const milliseconds = median(timestamps, offsets);
  const known = { milliseconds, label: labelOf(milliseconds, calendar), ...(calendar && { calendar }) };
  return { ...known, irregular: irregularCount(clock, known) };
}

/** How many neighbouring rows are not one step apart. */
export function irregularCount(clock: Clock, step: KnownStep): number {
  let count = 0;
  for (let row = 1; row < clock.timestamps.length; row++) if (stepsBefore(clock, row, step) !== 1) count++;
  return count;
}

/**
 * How many steps a row is after the one before it: 1 for a regular axis, 0 for a repeated moment, more for a gap,
 * a fraction for a row between two steps.
 */
export function stepsBefore({ timestamps, offsets }: Clock, row: number, step: KnownStep): number {
  const [from, to] = [timestamps[row - 1]!, timestamps[row]!];
  const { calendar, milliseconds } = step;
  if (calendar === undefined) {
    // Days and weeks are those of the wall clock: with summer time some have 23 hours.
    const passed = offsets === undefined || milliseconds % day === 0 ? 0 : offsets[row - 1]! - offsets[row]!;
    return nearlyWhole((to - from + passed) / milliseconds);
  }
  if (to === from) return 0;
  if (calendar.unit === "month") {
    const months = monthIndex(to) - monthIndex(from);
    const expected = addMonths(from, months, calendar.day);
    return months === 0 || expected !== to ? (to - from) / milliseconds : months / calendar.count;
  }
  const days = Math.round((to - from) / day);
  if (days * day !== to - from || !calendar.days.includes(weekday(to)) || days < 0)
    return (to - from) / day + 0.5;
  let count = 0;
  for (let at = from + day; at <= to; at += day) if (calendar.days.includes(weekday(at))) count++;
  return count;
}

function nearlyWhole(count: number): number {
  const whole = Math.round(count);
  return whole > 0 && Math.abs(count - whole) <= tolerance ? whole : count;
}

/** The moment `count` steps after a wall clock's. */
export function advance(from: number, count: number, { calendar, milliseconds }: KnownStep): number {
  if (calendar === undefined) return from + count * milliseconds;
  if (calendar.unit === "month") return addMonths(from, count * calendar.count, calendar.day);
  let at = from;
  for (let left = count; left > 0; ) {
    at += day;
    if (calendar.days.includes(weekday(at))) left--;
  }
  return at;
}

/** Rows after which the usual pattern of the data has come round: a day for hours, a week for days, a year for months. */
export function seasonOf({ milliseconds, calendar }: KnownStep): number | undefined {
  if (calendar?.unit === "weekday") return calendar.days.length;
  if (calendar?.unit === "month") return calendar.count < 12 ? 12 / calendar.count : undefined;
  const rows =
    milliseconds < day ? day / milliseconds : milliseconds < 7 * day ? (7 * day) / milliseconds : 52;
  return Number.isInteger(rows) && rows > 1 && milliseconds <= 7 * day ? rows : undefined;
}

/** Whether two steps are the same. */
export function sameStep(a: KnownStep, b: KnownStep): boolean {
  if (a.calendar === undefined && b.calendar === undefined) return a.milliseconds === b.milliseconds;
  if (a.calendar?.unit === "month" && b.calendar?.unit === "month")
    return a.calendar.count === b.calendar.count;
  return JSON.stringify(a.calendar) === JSON.stringify(b.calendar);
}

const units: readonly (readonly [milliseconds: number, one: string, many: string])[] = [
  [day, "day", "days"],
  [3_600_000, "h", "h"],
  [60_000, "min", "min"],
  [1000, "s", "s"],
];

/** A duration in its largest whole unit: 5 400 000 is `90 min`. */
export function durationLabel(milliseconds: number): string {
  for (const [size, one, many] of units) {
    const count = milliseconds / size;
    if (count >= 1 && Number.isInteger(count)) return `${count} ${count === 1 ? one : many}`;
  }
  return `${milliseconds} ms`;
}

const names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

function labelOf(milliseconds: number, calendar: CalendarStep | undefined): string {
  if (calendar === undefined) return durationLabel(milliseconds);
  if (calendar.unit === "weekday") {
    const { days } = calendar;
    return days.join() === "1,2,3,4,5"
      ? "1 business day"
      : `1 day of ${days.map((d) => names[d - 1]).join(", ")}`;
  }
  const years = calendar.count / 12;
  if (Number.isInteger(years)) return `${years} ${years === 1 ? "year" : "years"}`;
  return `${calendar.count} ${calendar.count === 1 ? "month" : "months"}`;
}

function median(timestamps: Float64Array, offsets: Float64Array | undefined): number {
  const of = (instants: boolean) => {
    const differences = new Float64Array(timestamps.length - 1);
    for (let i = 0; i < differences.length; i++) {
      differences[i] = timestamps[i + 1]! - timestamps[i]!;
      if (instants && offsets !== undefined) differences[i]! -= offsets[i + 1]! - offsets[i]!;
    }
    return differences.sort()[Math.floor(differences.length / 2)]!;
  };
  const wall = of(false);
  return wall >= day ? wall : of(true);
}

/** Months, where every row has the same time of the same day of a month, or of its last. */
function monthly(timestamps: Float64Array): CalendarStep | undefined {
  const typical = median(timestamps, undefined) / day;
  if (typical < 27.5) return undefined;
  const count = Math.round(typical / 30.44);
  const ends = timestamps.every((time) => dayOfMonth(time + day) === 1);
  const anchor = ends ? 31 : timestamps.reduce((most, time) => Math.max(most, dayOfMonth(time)), 1);
  const clock = inDay(timestamps[0]!);
  const regular = timestamps.every(
    (time) => inDay(time) === clock && dayOfMonth(time) === Math.min(anchor, lastDay(monthIndex(time))),
  );
  return regular ? { unit: "month", count, day: anchor } : undefined;
}

/** Days of the week, where the rows are daily and at least two weekends show that some days never come. */
function weekly(timestamps: Float64Array): CalendarStep | undefined {
  const span = (timestamps.at(-1)! - timestamps[0]!) / day;
  if (median(timestamps, undefined) !== day || span < 13) return undefined;
  const counts = Array<number>(7).fill(0);
  const clock = inDay(timestamps[0]!);
  for (const time of timestamps) {
    if (inDay(time) !== clock) return undefined;
    counts[weekday(time) - 1]!++;
  }
  // A day of the week that is left out now and then is a gap, one that comes now and then an exception.
  const usual = 0.5 * Math.floor(span / 7);
  const days = [1, 2, 3, 4, 5, 6, 7].filter((of) => counts[of - 1]! >= usual);
  const others = timestamps.length - days.reduce((sum, of) => sum + counts[of - 1]!, 0);
  const steady = days.length > 1 && days.length < 7 && others <= 0.05 * timestamps.length;
  return steady ? { unit: "weekday", days } : undefined;
}

function addMonths(from: number, months: number, anchor: number): number {
  const index = monthIndex(from) + months;
  const midnight = new Date(0);
  midnight.setUTCFullYear(Math.floor(index / 12), ((index % 12) + 12) % 12, Math.min(anchor, lastDay(index)));
  return midnight.getTime() + inDay(from);
}

function monthIndex(time: number): number {
  const date = new Date(time);
  return 12 * date.getUTCFullYear() + date.getUTCMonth();
}

function lastDay(index: number): number {
  return new Date(Date.UTC(Math.floor(index / 12), (((index % 12) + 12) % 12) + 1, 0)).getUTCDate();
}

const dayOfMonth = (time: number) => new Date(time).getUTCDate();
const weekday = (time: number) => ((new Date(time).getUTCDay() + 6) % 7) + 1;
const inDay = (time: number) => ((time % day) + day) % day;
