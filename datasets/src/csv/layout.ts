import { EspalierError } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { clockReading, looksLikeDate, numericPatterns } from "../dates/detect.ts";
import { isName, type NumberMarks, parseNumber, saysMissing } from "./cells.ts";
import { uniqueNames } from "./names.ts";
import type { CsvSettings } from "./options.ts";

/** Position of each column in a row. */
export interface Layout {
  /** Whether the first row holds names. */
  readonly header: boolean;
  /** Cells in every row. */
  readonly width: number;
  /** Names of all cells, the date's included. */
  readonly names: readonly string[];
  /** The cells that make up the date: none, one, or a date and a time, or year, month, day and hour. */
  readonly dates: readonly number[];
  /** The cell that says which series a row is of, −1 for none. */
  readonly id: number;
  /** The cells that hold series, in the order of the table. */
  readonly series: readonly number[];
  /** Cells that must stay empty: a mark at the end of every row. */
  readonly empty: readonly number[];
  /** Notes for the user about what was left out. */
  readonly notes: readonly string[];
}

/** Names that say that a column holds dates, whatever its cells look like. */
const dateNames = /^(?:date|time|timestamp|datetime|date[ _/-]?time|ds)$/i;
/** Names that may say so, if the cells look like it. */
const dateLike =
  /date|time|^(?:day|month|week|quarter|years?|yr|period|when|datum|zeit|tag|monat|jahr|fecha|jour|ann[ée]e|an|año|ano|anno|rok|data|ts|unix|epoch)(?![\p{L}\d])/iu;
const yearNames = /^(?:years?|yr|jahr|ann[ée]e|an|año|ano|anno|rok)$/i;
const indexNames = /^(?:|unnamed: ?\d+|index|idx|id|row|row[ _]?(?:id|number|names?)|no\.?|nr\.?|#)$/i;
const calendarNames = ["year", "month", "day", "hour", "minute"] as const;

/**
 * Finds names, dates and series from the first rows.
 *
 * @throws EspalierError if the options name a column that is not there, or do not fit the number of cells.
 */
export function layoutOf(name: string, sample: readonly (readonly string[])[], o: CsvSettings): Layout {
  const [first = [], ...rest] = sample;
  const width = widthOf(first, rest);
  const header = o.header ?? first.some(isName);
  const cells = header ? headerCells(first, width, rest) : first;
  const names = header ? uniqueNames(cells) : (o.columnNames ?? first.map((_, i) => `series_${i + 1}`));
  if (names.length !== width) {
    throw new EspalierError(
      `data ${name}: columnNames has ${names.length} names, the file's rows have ${width} cells.`,
    );
  }
  const before = header ? undefined : o.like?.cells;
  if (before !== undefined && before !== width) {
    throw new EspalierError(
      `data ${name}: rows of ${width} cells without names, but ${before} were in those that were read before. Give the same columns, or names in the first row of both.`,
    );
  }
  if (header && first.length > 3 && 2 * first.filter((cell) => looksLikeDate(cell)).length > first.length) {
    throw new EspalierError(
      `data ${name}: the first row holds dates. One row a time step is needed, one column a series: turn the table round.`,
    );
  }
  const rows = (header ? rest : sample).filter((row) => row.length === width);
  const table: Sampled = { name, names, cells, header, rows };
  const dates = dateCells(table, o);
  // A wide file of series that came in a long one before needs no turning.
  const long = o.pivot !== undefined && (names.includes(o.pivot) || o.pivot !== o.like?.pivot);
  const id = long ? idCell(table, o.pivot!) : -1;
  const taken = new Set([...dates, id]);
  const values = names.map((_, index) => index).filter((index) => !taken.has(index));
  if (o.series !== undefined && id < 0) {
    const series = seriesCells(name, names, values, o.series);
    return { header, width, names, dates, id, series, empty: [], notes: [] };
  }
  return { header, width, names, dates, id, ...valueCells(table, values, dates, id) };
}

/** The first rows, and what their cells are called. */
interface Sampled {
  readonly name: string;
  readonly names: readonly string[];
  /** The header as it stands. */
  readonly cells: readonly string[];
  readonly header: boolean;
  readonly rows: readonly (readonly string[])[];
}

function column({ rows }: Sampled, index: number): string[] {
  return rows.map((row) => row[index]!);
}

/** One less than the rows have is a header without a name for the index, or rows with a mark at their ends. */
function widthOf(first: readonly string[], rest: readonly (readonly string[])[]): number {
  const wider = rest.length > 0 && rest.every((row) => row.length === first.length + 1);
  const trailing = wider && rest.every((row) => row.at(-1) === "");
  const index =
    wider && rest.length > 1 && first.length > 1 && first.every(isName) && counts(rest.map((row) => row[0]!));
  return trailing || index ? first.length + 1 : first.length;
}

function headerCells(
  first: readonly string[],
  width: number,
  rest: readonly (readonly string[])[],
): readonly string[] {
  if (first.length === width) return first;
  return rest.every((row) => row.at(-1) === "") ? [...first, ""] : ["", ...first];
}

function valueCells(
  table: Sampled,
  values: readonly number[],
  dates: readonly number[],
  id: number,
): Pick<Layout, "series" | "empty" | "notes"> {
  const { name, names, cells, header } = table;
  const notes = nameNotes(table, values);
  const empty = values.filter(
    (i) => header && cells[i] === "" && column(table, i).every((cell) => cell === ""),
  );
  if (empty.length > 0)
    notes.push(
      `${empty.length === 1 ? "a column" : `${empty.length} columns`} without a name and without values left out`,
    );
  const series = values.filter((i) => {
    if (empty.includes(i)) return false;
    const texts = column(table, i);
    if (header && indexNames.test(cells[i]!) && counts(texts)) {
      const called = cells[i] === "" ? `without a name` : `"${cells[i]}"`;
      notes.push(`the column ${called} counts the rows: left out`);
      return false;
    }
    const dated = texts.every((text) => looksLikeDate(text)) && texts.length > 0;
    const dateName = dateNames.test(names[i]!) || yearNames.test(names[i]!);
    const serial = header && dates.length === 0 && dateName && rises(texts);
    const text = id >= 0 && texts.every(isName);
    if (text) notes.push(`the column "${names[i]}" holds text: left out`);
    if (dated) notes.push(`the column "${names[i]}" holds dates: left out`);
    if (serial) notes.push(`the column "${names[i]}" only rises: left out`);
    const timeLike = header && dates.length === 0 && dateLike.test(names[i]!) && values.length > 1;
    if (timeLike && !dated && !serial && rises(texts))
      notes.push(
        `the column "${names[i]}" only rises: if it is a time and no series, leave it out (--series)`,
      );
    else if (header && !serial && values.length > 1 && texts.length > 9 && counts(texts))
      notes.push(
        `the column "${names[i]}" counts up by one from row to row: if it is no series, leave it out (--series)`,
      );
    return !dated && !serial && !text;
  });
  if (series.length === 0) {
    throw new EspalierError(
      `data ${name}: has no column besides ${[...dates].map((i) => `"${names[i] ?? ""}"`).join(", ")}.`,
    );
  }
  return { series, empty, notes };
}

/** Column names, for a file that has none or repeats some. */
function nameNotes({ names, cells, header }: Sampled, values: readonly number[]): string[] {
  const shown = values.slice(0, 3).map((i) => `"${names[i]}"`);
  if (!header)
    return [`no names in the first row: the series are ${shown.join(", ")}${values.length > 3 ? ", …" : ""}`];
  const again = values.filter((i) => cells[i] !== "" && cells[i] !== names[i]);
  return again
    .map((i) => `another column is called "${cells[i]}", too: this one is "${names[i]}"`)
    .slice(0, 3);
}

/** Whether cells count up by one, as an index does. */
function counts(texts: readonly string[]): boolean {
  const numbers = texts.map(Number);
  return (
    texts.length > 1 &&
    texts.every((text) => /^\d+$/.test(text)) &&
    numbers.every((n, i) => i === 0 || n === numbers[i - 1]! + 1)
  );
}

function rises(texts: readonly string[]): boolean {
  return texts.every((text, i) => i === 0 || Number(text) > Number(texts[i - 1]));
}

/** The cells of series by name. A name with commas may come in the pieces between them. */
function seriesCells(
  name: string,
  names: readonly string[],
  values: readonly number[],
  wanted: readonly string[],
): number[] {
  const known = values.map((i) => names[i]!);
  const cells: number[] = [];
  for (let at = 0; at < wanted.length; ) {
    const ends = wanted.map((_, end) => end + 1).filter((end) => end > at);
    const end = ends.find((to) => known.some((one) => samePieces(one, wanted.slice(at, to))));
    if (end === undefined) throw unknownName(`data ${name}: series`, wanted[at]!, known);
    cells.push(values[known.findIndex((one) => samePieces(one, wanted.slice(at, end)))]!);
    at = end;
  }
  return cells;
}

function samePieces(name: string, pieces: readonly string[]): boolean {
  if (pieces.length === 1) return name === pieces[0];
  return (
    name
      .split(",")
      .map((piece) => piece.trim())
      .join(",") === pieces.join(",")
  );
}

function idCell({ name, names }: Sampled, pivot: string): number {
  const index = names.indexOf(pivot);
  if (index < 0) throw unknownName(`data ${name}: --pivot column`, pivot, names);
  return index;
}

function dateCells(table: Sampled, o: CsvSettings): number[] {
  if (o.dateColumn === false) return [];
  const { name, names, rows } = table;
  const known = o.like?.dates?.columns.map((one) => names.indexOf(one.name));
  if (o.dateColumn === undefined && known?.every((index) => index >= 0)) return known;
  if (o.dateColumn !== undefined) {
    const index = names.indexOf(o.dateColumn);
    if (index < 0) throw unknownName(`data ${name}: date column`, o.dateColumn, names);
    return withTime(table, index);
  }
  const byName = names.findIndex(
    (candidate) => dateNames.test(candidate) && !isClock(table, names.indexOf(candidate)),
  );
  if (byName >= 0) return counter(table, byName) ? [] : withTime(table, byName);
  const first = rows[0] ?? [];
  const byText = first.findIndex((cell) => looksLikeDate(cell));
  if (byText >= 0) return withTime(table, byText);
  const parts = calendarNames.map((part) => names.findIndex((candidate) => candidate.toLowerCase() === part));
  if (parts[0]! >= 0 && parts[1]! >= 0) {
    const upTo = parts.findIndex((index) => index < 0);
    return parts.slice(0, upTo < 0 ? parts.length : upTo);
  }
  const byNumber = names.findIndex(
    (candidate, i) =>
      dateLike.test(candidate) &&
      numericPatterns(first[i] ?? "").length > 0 &&
      // Any number of four digits may be a year where the name says so, and elsewhere the usual ones.
      (!/^\d{4}$/.test(first[i]!) || yearNames.test(candidate) || /^(?:1[89]|20)/.test(first[i]!)),
  );
  return byNumber < 0 ? [] : withTime(table, byNumber);
}

/** A column called "time" that counts 0, 1, 2 holds no dates. */
function counter(table: Sampled, index: number): boolean {
  const texts = column(table, index);
  return /^[01]$/.test(texts[0] ?? "") && counts(texts);
}

function isClock(table: Sampled, index: number): boolean {
  const texts = column(table, index);
  return texts.length > 0 && texts.every((text) => clockReading(text) !== undefined);
}

/** A date, and the column of its times where it has none itself. */
function withTime(table: Sampled, date: number): number[] {
  const { names, rows } = table;
  const first = rows[0]?.[date] ?? "";
  if (/\d:\d\d/.test(first) || !looksLikeDate(first)) return [date];
  const clock = names.findIndex((_, i) => i !== date && isClock(table, i));
  if (clock >= 0) return [date, clock];
  const hour = names.findIndex(
    (candidate, i) =>
      i !== date &&
      /^(?:hour|hr|hh|stunde|hora|heure)s?$/i.test(candidate) &&
      column(table, i).every((text) => /^\d{1,2}$/.test(text) && Number(text) <= 24),
  );
  return hour >= 0 ? [date, hour] : [date];
}

/**
 * The column that says which series a row is of, where moments repeat as if there were one: text that repeats, or whole
 * numbers that never do for the same moment.
 */
export function suggestedId(
  layout: Layout,
  sample: readonly (readonly string[])[],
  marks: NumberMarks,
): string | undefined {
  const { header, width, names, dates, series } = layout;
  if (dates.length === 0) return undefined;
  const rows = (header ? sample.slice(1) : sample).filter((row) => row.length === width);
  const moment = (row: readonly string[]) => dates.map((i) => row[i]).join(" ");
  if (new Set(rows.map(moment)).size === rows.length) {
    // Sorted by series, the first rows of a long file may be of one alone.
    if (rows.length < 500) return undefined;
    const same = series.find((i) => rows.every((row) => row[i] === rows[0]![i] && isText(row[i]!, marks)));
    return same === undefined || series.length < 2 ? undefined : names[same];
  }
  const candidates = series.filter((i) => {
    const texts = rows.map((row) => row[i]!);
    const distinct = new Set(texts).size;
    const pairs = new Set(rows.map((row) => `${moment(row)}\n${row[i]}`)).size;
    const ids = texts.every((text) => isText(text, marks) || /^\d+$/.test(text));
    return ids && distinct <= rows.length / 2 && pairs >= 0.95 * rows.length;
  });
  const text = candidates.find((i) => isText(rows[0]![i]!, marks)) ?? candidates[0];
  return text === undefined || series.length < 2 ? undefined : names[text];
}

function isText(cell: string, marks: NumberMarks): boolean {
  return !saysMissing(cell) && parseNumber(cell, marks) === undefined;
}
