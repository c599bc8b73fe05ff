import { EspalierError } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import type { DateStyle } from "./dates/style.ts";
import type { Step } from "./step.ts";

/** Several series over the same rows, in the units of their source. No value is missing. */
export interface Table {
  /** Name of the data in messages: a catalogue name, or a file's name. */
  readonly name: string;
  /** One name a series. */
  readonly columns: readonly string[];
  /** Number of time steps. */
  readonly rows: number;
  /** Row-major `[rows × columns]`. */
  readonly values: Float64Array;
  /**
   * `[rows]`, milliseconds of the wall clock read as if it were UTC; ascending, but for the hour that a clock is set back.
   * Absent if the source has no dates.
   */
  readonly timestamps?: Float64Array | undefined;
  /** `[rows]`, milliseconds that the clock is ahead of UTC; absent if that never changes, or is not known. */
  readonly offsets?: Float64Array | undefined;
  /** The time from one row to the next. Absent where nobody knows. */
  readonly step?: Step | undefined;
  /** How the source writes its dates. */
  readonly dates?: DateStyle | undefined;
  /** Rows, ascending, that windows never reach across: each is the first after a gap. Absent for none. */
  readonly breaks?: readonly number[] | undefined;
}

/** Rows `start` to `end`, the end not included. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The same rows with the named series only, in the order given.
 *
 * @throws EspalierError if a name is not among the columns.
 */
export function selectSeries(table: Table, series: readonly string[]): Table {
  if (series.length === 0) throw new EspalierError(`data ${table.name}: no series is selected.`);
  const from = series.map((name) => {
    const index = table.columns.indexOf(name);
    if (index < 0) throw unknownName(`data ${table.name}: series`, name, table.columns);
    return index;
  });
  const values = new Float64Array(table.rows * from.length);
  for (let row = 0, to = 0; row < table.rows; row++) {
    for (const column of from) values[to++] = table.values[row * table.columns.length + column]!;
  }
  return { ...table, columns: [...series], values };
}
