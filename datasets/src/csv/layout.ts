import { EspalierError, unknownName } from "@espalier/core";
import { parseTimestamp } from "../timestamps.ts";
import { isName, parseNumber } from "./cells.ts";
import type { CsvSettings } from "./options.ts";

/** Where in a row everything stands. */
export interface Layout {
  /** Whether the first row holds names. */
  readonly header: boolean;
  /** Cells in every row. */
  readonly width: number;
  /** Names of all cells, the date's included. */
  readonly names: readonly string[];
  /** The cell that holds the date, −1 for none. */
  readonly date: number;
  /** The cells that hold series, in the order of the table. */
  readonly series: readonly number[];
}

const dateNames = /^(?:date|time|timestamp|datetime|date[ _]?time|ds)$/i;

/**
 * Finds names, date and series from the first row and the one after it.
 *
 * @throws EspalierError where the options name a column that is not there, or do not fit the number of cells.
 */
export function layoutOf(
  name: string,
  first: readonly string[],
  second: readonly string[],
  o: CsvSettings,
): Layout {
  const header = o.header ?? first.some((cell) => isName(cell, o.decimal));
  const names = header ? uniqueNames(first) : (o.columnNames ?? first.map((_, i) => `series_${i + 1}`));
  if (names.length !== first.length) {
    throw new EspalierError(
      `data ${name}: columnNames has ${names.length} names, the file's rows have ${first.length} cells.`,
    );
  }
  const date = dateCell(name, names, header ? second : first, o);
  const values = names.map((_, index) => index).filter((index) => index !== date);
  const series =
    o.series === undefined ? values : o.series.map((wanted) => seriesCell(name, names, values, wanted));
  if (series.length === 0)
    throw new EspalierError(`data ${name}: has no column besides "${names[date] ?? ""}".`);
  return { header, width: first.length, names, date, series };
}

function seriesCell(
  name: string,
  names: readonly string[],
  values: readonly number[],
  wanted: string,
): number {
  const index = values.find((i) => names[i] === wanted);
  if (index === undefined)
    throw unknownName(
      `data ${name}: series`,
      wanted,
      values.map((i) => names[i]!),
    );
  return index;
}

function dateCell(name: string, names: readonly string[], data: readonly string[], o: CsvSettings): number {
  if (o.dateColumn === false) return -1;
  if (o.dateColumn !== undefined) {
    const index = names.indexOf(o.dateColumn);
    if (index < 0) throw unknownName(`data ${name}: date column`, o.dateColumn, names);
    return index;
  }
  const byName = names.findIndex((candidate) => dateNames.test(candidate));
  if (byName >= 0) return byName;
  return data.findIndex((c) => parseNumber(c, o.decimal) === undefined && parseTimestamp(c) !== undefined);
}

/** A name for every cell: empty ones get a number, repeated ones a suffix (`a`, `a.1`), as pandas has it. */
function uniqueNames(cells: readonly string[]): string[] {
  const taken = new Set<string>();
  return cells.map((cell, index) => {
    const base = cell === "" ? `column_${index + 1}` : cell;
    let name = base;
    for (let n = 1; taken.has(name); n++) name = `${base}.${n}`;
    taken.add(name);
    return name;
  });
}
