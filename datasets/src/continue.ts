import { EspalierError } from "@espalier/core/inference";
import { offsetAt } from "./dates/zone.ts";
import { advance, type Clock, type KnownStep, stepOf } from "./step.ts";
import type { Table } from "./table.ts";

/**
 * The moments that follow ascending timestamps, `[count]`: by calendar months, by the days of the week that there are
 * (business days), else by the median step.
 *
 * @throws EspalierError for fewer than two timestamps: nobody knows their step.
 */
export function nextTimestamps(timestamps: Float64Array, count: number, step?: KnownStep): Float64Array {
  const known = step ?? stepOf(timestamps);
  const last = timestamps.at(-1);
  if (known === undefined || last === undefined) {
    throw new EspalierError(
      `dates cannot be continued: there ${timestamps.length === 1 ? "is one" : "are none"}.`,
    );
  }
  return Float64Array.from({ length: count }, (_, i) => advance(last, i + 1, known));
}

/**
 * A table with rows after its last, whose values are 0 and whose dates go on: what a forecast will fill. Time marks of
 * the future rows come from it. In a zone with summer time the clock of the future rows changes when the zone's does.
 *
 * @param step the step to go on by; default: the table's.
 */
export function withFutureRows(table: Table, count: number, step?: KnownStep): Table {
  const values = new Float64Array((table.rows + count) * table.columns.length);
  values.set(table.values);
  const rows = table.rows + count;
  if (table.timestamps === undefined) return { ...table, rows, values };
  const next = nextClock(table, count, step);
  return {
    ...table,
    rows,
    values,
    timestamps: joined(table.timestamps, next.timestamps),
    ...(table.offsets && next.offsets && { offsets: joined(table.offsets, next.offsets) }),
  };
}

function nextClock(
  { timestamps, offsets, step: own, dates }: Table,
  count: number,
  given: KnownStep | undefined,
): Clock {
  const step = given ?? own;
  const walls = nextTimestamps(timestamps!, count, step);
  if (offsets === undefined) return { timestamps: walls };
  const last = { wall: timestamps!.at(-1)!, offset: offsets.at(-1)! };
  const next = Array.from({ length: count }, (_, i) => after(last, i + 1, step!, dates?.zone));
  return {
    timestamps: Float64Array.from(next, ({ wall }) => wall),
    offsets: Float64Array.from(next, ({ offset }) => offset),
  };
}

/** The reading of a clock that may follow a zone, some steps later. */
export function after(
  from: { readonly wall: number; readonly offset: number },
  count: number,
  step: KnownStep,
  zone: string | undefined,
): { readonly wall: number; readonly offset: number } {
  const wall = advance(from.wall, count, step);
  if (zone === undefined) return { wall, offset: from.offset };
  // Days and months go by the wall clock, hours by the time that passes.
  const byDays = step.calendar !== undefined || step.milliseconds % 86_400_000 === 0;
  const instant = wall - from.offset;
  const offset = offsetAt(zone, instant);
  if (!byDays) return { wall: instant + offset, offset };
  return { wall, offset: offsetAt(zone, wall - offset) };
}

function joined(a: Float64Array, b: Float64Array): Float64Array {
  const all = new Float64Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
