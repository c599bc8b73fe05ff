import { EspalierError } from "@espalier/core/inference";
import { parseTimestamp, stepOf, type Table } from "@espalier/datasets/inference";

/** A point in time: milliseconds since 1970, a `Date`, or text such as `2016-07-01 00:00` or `2016-07-01T00:00Z`. */
export type Moment = number | Date | string;

/**
 * Observed rows in original units, oldest first: an array per row, an object per row with the columns as keys, all
 * numbers row by row, or a table of `@espalier/datasets`.
 */
export type GivenRows =
  | Table
  | Float32Array
  | Float64Array
  | readonly ArrayLike<number>[]
  | readonly Readonly<Record<string, unknown>>[];

/** Facts about rows in addition to their values. */
export interface RowOptions {
  /** One timestamp per row, ascending. Models with time features need them; with them, forecasts have timestamps too. */
  readonly timestamps?: ArrayLike<Moment> | undefined;
  /** Names of the values in a row, unless they are the model's columns in the model's order. */
  readonly columns?: readonly string[] | undefined;
}

/** Rows with the model's columns in the model's order. Throws an EspalierError for rows that do not have them. */
export function tableOf(given: GivenRows, options: RowOptions, wanted: readonly string[]): Table {
  if (isTable(given)) return { ...given, ...picked(given.name, given.values, given.columns, wanted) };
  const name = "rows given";
  const columns = options.columns ?? wanted;
  const numbers = ArrayBuffer.isView(given) ? given : flat(given, columns);
  const table = picked(name, numbers, columns, wanted);
  const { timestamps } = options;
  if (timestamps === undefined) return { name, ...table };
  if (timestamps.length !== table.rows) {
    throw new EspalierError(`${timestamps.length} timestamps were given for ${table.rows} rows.`);
  }
  const times = Float64Array.from(timestamps, (moment, row) => timeOf(moment as Moment, row));
  return { name, ...table, timestamps: times, step: stepOf(times) };
}

/** Milliseconds of a timestamp. Throws an EspalierError for an invalid one. */
export function timeOf(moment: Moment, row: number): number {
  const time = typeof moment === "string" ? parseTimestamp(moment) : Number(moment);
  if (time !== undefined && Number.isFinite(time)) return time;
  throw new EspalierError(
    `the timestamp of row ${row + 1}, "${moment}", is not valid: give milliseconds, a Date, or text such as 2016-07-01 00:00.`,
  );
}

/**
 * Throws an EspalierError for values that are not numbers, and timestamps that do not ascend, in the rows from `start`
 * on.
 */
export function checkRows(table: Table, start: number): void {
  const { name, columns, rows, values, timestamps, dates } = table;
  if (values.length !== rows * columns.length) {
    throw new EspalierError(
      `data ${name}: ${values.length} values are not ${rows} rows of ${columns.length} columns.`,
    );
  }
  for (let i = start * columns.length; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    const [row, column] = [Math.floor(i / columns.length), columns[i % columns.length]];
    throw new EspalierError(
      `data ${name}, row ${row + 1}, column "${column}": ${values[i]} is not a number. Fill gaps before you forecast.`,
    );
  }
  // The reader of the file has already checked its order, and reported what is odd.
  if (timestamps === undefined || dates !== undefined) return;
  for (let row = Math.max(1, start); row < rows; row++) {
    if (timestamps[row]! > timestamps[row - 1]!) continue;
    throw new EspalierError(
      `data ${name}, row ${row + 1} is not later than the row before it. Sort rows by time, oldest first.`,
    );
  }
}

function isTable(given: GivenRows): given is Table {
  return !Array.isArray(given) && !ArrayBuffer.isView(given) && "values" in given && "columns" in given;
}

/** Values row by row in the requested order. */
function picked(
  name: string,
  values: Float32Array | Float64Array,
  columns: readonly string[],
  wanted: readonly string[],
): Pick<Table, "columns" | "rows" | "values"> {
  const width = columns.length;
  const rows = values.length / width;
  if (!Number.isInteger(rows)) {
    throw new EspalierError(
      `data ${name}: ${values.length} numbers cannot be divided into rows of ${width} columns.`,
    );
  }
  const from = wanted.map((column) => {
    const place = columns.indexOf(column);
    if (place >= 0) return place;
    const missing = wanted.filter((one) => !columns.includes(one)).join(", ");
    throw new EspalierError(
      `data ${name}: column ${missing} is missing. Its columns are ${columns.join(", ")}; the model forecasts ${wanted.join(", ")}.`,
    );
  });
  if (values instanceof Float64Array && width === wanted.length && from.every((place, i) => place === i)) {
    return { columns: wanted, rows, values };
  }
  const out = new Float64Array(rows * wanted.length);
  for (let row = 0, to = 0; row < rows; row++) {
    for (const place of from) out[to++] = values[row * width + place]!;
  }
  return { columns: wanted, rows, values: out };
}

function flat(
  given: readonly (ArrayLike<number> | Readonly<Record<string, unknown>>)[],
  columns: readonly string[],
): Float64Array {
  const width = columns.length;
  const out = new Float64Array(given.length * width);
  given.forEach((row, r) => {
    if (typeof row !== "object" || row === null) {
      throw new EspalierError(`row ${r + 1} is ${row}: give each row as an array or an object.`);
    }
    if (isArrayLike(row)) {
      if (row.length !== width) {
        throw new EspalierError(
          `row ${r + 1} has ${row.length} values, but ${width} are expected: ${columns.join(", ")}.`,
        );
      }
      for (let c = 0; c < width; c++) out[r * width + c] = numberOf(row[c]);
      return;
    }
    columns.forEach((column, c) => {
      if (!Object.hasOwn(row, column)) throw new EspalierError(`row ${r + 1} has no column "${column}".`);
      out[r * width + c] = numberOf(row[column]);
    });
  });
  return out;
}

/** Text and null are not numbers, whatever JavaScript converts them to. */
function numberOf(value: unknown): number {
  return typeof value === "number" ? value : Number.NaN;
}

function isArrayLike(row: object): row is ArrayLike<number> {
  return Array.isArray(row) || ArrayBuffer.isView(row);
}
