import { EspalierError } from "@espalier/core";
import { isBeyond } from "../bounds.ts";
import type { RawRows } from "../missing.ts";
import { uniqueNames } from "./names.ts";

/** Rows that each hold one series at one moment. */
export interface LongRows extends RawRows {
  readonly timestamps: Float64Array;
  /** `[rows]`: which series a row is of. */
  readonly ids: readonly string[];
}

/**
 * Turns rows of one series each into rows of all: one a moment, in the order of time, a column for each series in the
 * order in which they came. What a series lacks at a moment is missing (NaN).
 *
 * @param taken names that no series may have: those of the columns of dates.
 * @param fail makes an error of a row, from 0, and what is wrong there.
 * @throws EspalierError if a series has two rows of one moment, or the table would have more cells than the limit, or
 * than the rows can fill.
 */
export function pivoted(
  long: LongRows,
  taken: readonly string[],
  maxCells: number,
  fail: (what: string, row: number) => EspalierError,
): RawRows {
  const instants = long.timestamps.map((wall, i) => wall - (long.offsets?.[i] ?? 0));
  const moments = [...new Set(instants)].sort((a, b) => a - b);
  const rowOf = new Map(moments.map((instant, row) => [instant, row]));
  const series = [...new Set(long.ids)];
  const columnOf = new Map(series.map((id, i) => [id, i]));
  const inner = long.columns.length;
  const width = series.length * inner;
  if (isBeyond(moments.length * width, long.values.length, maxCells)) {
    throw new EspalierError(
      `data ${long.name}: ${long.rows} rows would become ${moments.length} moments of ${width} series, nearly all of them missing. Is --pivot the right column?`,
    );
  }
  const values = new Float64Array(moments.length * width).fill(Number.NaN);
  const seen = new Uint8Array(moments.length * series.length);
  const order = new Int32Array(moments.length);
  for (let i = 0; i < long.rows; i++) {
    const row = rowOf.get(instants[i]!)!;
    const column = columnOf.get(long.ids[i]!)!;
    if (seen[row * series.length + column] === 1) {
      const hint = mayBeSetBack(long, i)
        ? " Is it the hour in which clocks are set back? --time-zone Europe/Berlin, or another, tells the two apart."
        : "";
      throw fail(`is the second of "${long.ids[i]}" at its moment. Each may have one row.${hint}`, i);
    }
    seen[row * series.length + column] = 1;
    order[row] = i;
    values.set(long.values.subarray(i * inner, (i + 1) * inner), row * width + column * inner);
  }
  const names = series.flatMap((id) =>
    inner === 1 ? [id] : long.columns.map((column) => `${id} ${column}`),
  );
  const columns = uniqueNames([...taken, ...names]).slice(taken.length);
  const of = (all: Float64Array) => Float64Array.from(order, (i) => all[i]!);
  return {
    name: long.name,
    columns,
    rows: moments.length,
    values,
    timestamps: of(long.timestamps),
    offsets: long.offsets && of(long.offsets),
  };
}

/** A Sunday's first hours, on a clock of which nothing else is known. */
function mayBeSetBack({ timestamps, offsets }: LongRows, row: number): boolean {
  const date = new Date(timestamps[row]!);
  return offsets === undefined && date.getUTCDay() === 0 && date.getUTCHours() <= 3;
}
