import { EspalierError } from "@espalier/core";
import { stepOf, type Table } from "./table.ts";

/** How many of the last rows decide whether the calendar's months are the step. */
const looked = 13;

/**
 * The moments that follow ascending timestamps, `[count]`: by calendar months where the last rows are whole months apart
 * (the last days of months stay last days), else by the median step.
 *
 * @throws EspalierError for fewer than two timestamps: nobody knows their step.
 */
export function nextTimestamps(timestamps: Float64Array, count: number): Float64Array {
  const step = stepOf(timestamps);
  const last = timestamps.at(-1);
  if (step === undefined || last === undefined) {
    throw new EspalierError(
      `dates cannot be continued: there ${timestamps.length === 1 ? "is one" : "are none"}.`,
    );
  }
  const months = monthsApart([...timestamps.subarray(-looked)].map((time) => new Date(time)));
  if (months === undefined)
    return Float64Array.from({ length: count }, (_, i) => last + (i + 1) * step.milliseconds);
  const ends = [...timestamps.subarray(-looked)].every((time) => isMonthEnd(new Date(time)));
  return Float64Array.from({ length: count }, (_, i) => addMonths(new Date(last), (i + 1) * months, ends));
}

/**
 * A table with rows after its last, whose values are 0 and whose dates go on: what a forecast will fill. Time marks of
 * the future rows come from it.
 */
export function withFutureRows(table: Table, count: number): Table {
  const values = new Float64Array((table.rows + count) * table.columns.length);
  values.set(table.values);
  if (table.timestamps === undefined) return { ...table, rows: table.rows + count, values };
  const timestamps = new Float64Array(table.rows + count);
  timestamps.set(table.timestamps);
  timestamps.set(nextTimestamps(table.timestamps, count), table.rows);
  return { ...table, rows: table.rows + count, values, timestamps };
}

/** The whole number of months from each date to the next, where it is the same and the day and the time are too. */
function monthsApart(dates: readonly Date[]): number | undefined {
  const index = (date: Date) => 12 * date.getUTCFullYear() + date.getUTCMonth();
  const [first, second] = dates;
  if (first === undefined || second === undefined) return undefined;
  const months = index(second) - index(first);
  const ends = dates.every(isMonthEnd);
  const regular = dates.every(
    (date, i) =>
      index(date) - index(first) === i * months &&
      (ends || date.getUTCDate() === first.getUTCDate()) &&
      date.getTime() % 86_400_000 === first.getTime() % 86_400_000,
  );
  return months > 0 && regular ? months : undefined;
}

function isMonthEnd(date: Date): boolean {
  return new Date(date.getTime() + 86_400_000).getUTCDate() === 1;
}

function addMonths(date: Date, months: number, toEnd: boolean): number {
  const month = date.getUTCMonth() + months;
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate();
  const day = toEnd ? lastDay : Math.min(date.getUTCDate(), lastDay);
  const midnight = new Date(0);
  midnight.setUTCFullYear(date.getUTCFullYear(), month, day);
  const inDay = ((date.getTime() % 86_400_000) + 86_400_000) % 86_400_000;
  return midnight.getTime() + inDay;
}
