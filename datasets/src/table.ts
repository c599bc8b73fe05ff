import { EspalierError, unknownName } from "@espalier/core";

/** Several series over the same rows, in the units of their source. No value is missing. */
export interface Table {
  /** What messages call the data: a catalogue name, or a file's name. */
  readonly name: string;
  /** One name a series. */
  readonly columns: readonly string[];
  /** Number of time steps. */
  readonly rows: number;
  /** Row-major `[rows × columns]`. */
  readonly values: Float64Array;
  /** `[rows]`, milliseconds of the wall clock read as if it were UTC; ascending. Absent where the source has no dates. */
  readonly timestamps?: Float64Array | undefined;
  /** The time from one row to the next. Absent where nobody knows. */
  readonly step?: Step | undefined;
}

/** The time from one row to the next. */
export interface Step {
  /** The median difference of neighbouring timestamps. */
  readonly milliseconds: number;
  /** The same for people: `1 h`, `15 min`, `7 days`. */
  readonly label: string;
  /** How many neighbours are not one step apart: gaps and doubled timestamps. They are counted, and left as they are. */
  readonly irregular: number;
}

/** Rows `start` to `end`, the end not included. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** The step of ascending timestamps `[rows]` in milliseconds; `undefined` for fewer than two rows. */
export function stepOf(timestamps: Float64Array): Step | undefined {
  if (timestamps.length < 2) return undefined;
  const differences = new Float64Array(timestamps.length - 1);
  for (let i = 0; i < differences.length; i++) differences[i] = timestamps[i + 1]! - timestamps[i]!;
  const milliseconds = differences.slice().sort()[Math.floor(differences.length / 2)]!;
  let irregular = 0;
  for (const difference of differences) if (difference !== milliseconds) irregular++;
  return { milliseconds, label: durationLabel(milliseconds), irregular };
}

const units: readonly (readonly [milliseconds: number, one: string, many: string])[] = [
  [86_400_000, "day", "days"],
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

/**
 * The same rows with the named series only, in the order given.
 *
 * @throws EspalierError where a name is not among the columns.
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
