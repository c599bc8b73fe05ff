import type { EspalierError } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { CsvError, parse } from "#csv-parse";
import { formatDate } from "../dates/style.ts";
import { handleGaps } from "../gaps.ts";
import { handleMissing, type MissingReport, type RawRows } from "../missing.ts";
import { parseOptions } from "../options.ts";
import { stepOf } from "../step.ts";
import { selectSeries, type Table } from "../table.ts";
import type { NumberMarks } from "./cells.ts";
import { type FileDates, fileDates } from "./dates.ts";
import { decode } from "./decode.ts";
import { type Head, headOf } from "./head.ts";
import { type Layout, layoutOf, suggestedId } from "./layout.ts";
import { findMarks } from "./numbers.ts";
import { type CsvOptions, type CsvSettings, csvOptions } from "./options.ts";
import { pivoted } from "./pivot.ts";
import { cellOptions, notClosed, quoteFault } from "./quotes.ts";
import { csvError, type FileRows, RowReader } from "./reader.ts";
import type { CsvReading } from "./reading.ts";
import { suspects } from "./suspects.ts";

/** A table, what was missing in its source, and how that was read. */
export interface TableAndReport {
  readonly table: Table;
  readonly missing: MissingReport;
  readonly reading: CsvReading;
  /** Notes for the user, one line each: what was detected, left out, or looks odd. */
  readonly notes: readonly string[];
}

/** The longest row, in bytes: a quote that is never closed stops here. */
const longestRow = 2 ** 22;
/** Cells that are looked at to tell a decimal mark. */
const cellsLookedAt = 100_000;

/**
 * Reads CSV text: UTF-8 with or without a byte order mark (or UTF-16 with one, or Windows-1252), LF, CRLF or CR, quotes as
 * in RFC 4180, a last line with or without an end. One row is one time step, one column a series, one column may hold
 * dates. What separates cells, decimals and thousands and how dates are written is found out where the options do not say.
 *
 * @param name what messages call the data.
 * @throws EspalierError naming row and column: text or a missing value among the numbers, a row that is too short or
 * too long, dates that run backwards, a bound that is passed, no data.
 */
export function parseCsv(name: string, input: string | Uint8Array, options: CsvOptions = {}): TableAndReport {
  const given = parseOptions(`data ${name}`, csvOptions, options);
  const settings = asBefore(given);
  const { text, encoding, note } =
    typeof input === "string" ? { text: input } : decode(name, input, settings);
  const head = headOf(text, settings.delimiter, settings.like?.delimiter);
  const { columns } = settings.limits;
  const width = head.rows[0]?.length ?? 0;
  if (width > columns) throw csvError(name, `${width} columns, more than the limit of ${columns}.`, 1);
  if (width === 0 && head.text.includes('"')) throw csvError(name, notClosed, head.skipped + 1);
  if (width === 0) throw csvError(name, "no rows of data.");
  const layout = layoutOf(name, head.rows, settings);
  for (const { column } of given.na) {
    if (column !== undefined && !layout.names.includes(column))
      throw unknownName(`data ${name}: --na column`, column, layout.names);
  }
  const marks = marksOf(name, head, layout, settings);
  const rows = readRows(name, head, layout, marks, settings);
  const dates = datesOf(rows, layout, settings);
  const reading: CsvReading = {
    delimiter: head.delimiter,
    ...marks,
    ...(encoding !== undefined && { encoding }),
    ...(!layout.header && { cells: layout.width }),
    ...(dates !== undefined && { dates: dates.style }),
    ...said(settings),
  };
  const notes = [
    note,
    head.note,
    ...layout.notes,
    ...emptyNote(rows),
    ...naNotes(rows, given),
    ...digitNotes(rows),
    dialectNote(reading, settings),
  ];
  return {
    ...finished(
      rows,
      dates,
      layout,
      settings,
      notes.filter((line) => line !== undefined),
    ),
    reading,
  };
}

/** Options given for an earlier file of the same kind, overridden by those given for this one. */
function asBefore(settings: CsvSettings): CsvSettings {
  const { like } = settings;
  if (like === undefined) return settings;
  const { dateColumn = like.dateColumn, timeZone = like.timeZone, pivot = like.pivot } = settings;
  const na = settings.na.length > 0 ? settings.na : (like.na ?? []);
  return { ...settings, dateColumn, timeZone, pivot, na };
}

function readRows(
  name: string,
  head: Head,
  layout: Layout,
  marks: NumberMarks,
  settings: CsvSettings,
): FileRows {
  const pivot = layout.id < 0 ? suggestedId(layout, head.rows, marks) : undefined;
  const reader = new RowReader(name, settings, layout, marks, { skipped: head.skipped, pivot });
  try {
    parse(head.text, {
      ...cellOptions(head.text, head.delimiter),
      max_record_size: longestRow,
      on_record: (cells: string[]) => {
        reader.push(cells);
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw csvError(name, quoteFault(error), reader.line + 1);
  }
  return reader.finish();
}

function marksOf(name: string, head: Head, layout: Layout, settings: CsvSettings): NumberMarks {
  const { header, width, series } = layout;
  const rows = (header ? head.rows.slice(1) : head.rows).filter((row) => row.length === width);
  const most = Math.max(1, Math.floor(cellsLookedAt / series.length));
  const cells = rows.slice(0, most).flatMap((row) => series.map((index) => row[index]!));
  const found = findMarks(cells, series.length, head.delimiter, settings, settings.like);
  if (!("open" in found)) return found;
  throw csvError(
    name,
    `"${found.open}" may be a decimal or a thousand. Give --decimal "${found.mark}" or --thousands "${found.mark}".`,
  );
}

function datesOf(rows: FileRows, layout: Layout, settings: CsvSettings): FileDates | undefined {
  if (layout.dates.length === 0) return undefined;
  const columns = layout.dates.map((index, i) => ({ name: layout.names[index]!, texts: rows.dates[i]! }));
  const fail = (what: string, row: number, column: string) =>
    csvError(rows.name, what, rows.lines[row], column);
  return fileDates(columns, settings, fail, rows.ids);
}

/** Options that a later file does not reveal. */
function said({ dateColumn, dateFormat, timeZone, pivot, na, sentinels, like }: CsvSettings) {
  const given = {
    dateColumn,
    dateFormat: dateFormat ?? like?.dateFormat,
    timeZone,
    pivot,
    na: [...na, ...(sentinels.length > 0 ? [{ values: sentinels.map(String) }] : [])],
  };
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined && (value as unknown[]).length !== 0),
  );
}

function emptyNote({ empty }: FileRows): string[] {
  if (empty.length === 0) return [];
  return [
    empty.length === 1
      ? `row ${empty[0]} has only empty cells: left out`
      : `${empty.length} rows of empty cells left out, the first is row ${empty[0]}`,
  ];
}

/** Given markers of missing values that no cell holds. */
function naNotes({ stood }: FileRows, { na }: CsvSettings): string[] {
  const idle = na.flatMap(({ values }) => values).filter((text) => !stood.has(text.toLowerCase()));
  return idle.length === 0 ? [] : [`no cell holds ${idle.map((text) => `"${text}"`).join(", ")} (--na)`];
}

/** Whole numbers that doubles cannot tell from their neighbours. */
function digitNotes({ columns, rows, values }: RawRows): string[] {
  const long = columns.filter((_, column) => {
    for (let row = 0; row < rows; row++) {
      const value = values[row * columns.length + column]!;
      if (Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e20) return true;
    }
    return false;
  });
  return long.map(
    (name) =>
      `column "${name}": numbers of more than 15 digits lose the last ones; an identifier is no series (--series)`,
  );
}

/** Detected properties that are unusual. */
function dialectNote(reading: CsvReading, settings: CsvSettings): string | undefined {
  const { delimiter, decimal, thousands, dates } = reading;
  const date = dates?.columns.map(({ pattern }) => pattern).join(" ");
  const odd = date !== undefined && !/^yyyy-MM-dd(?:[T ]HH:mm(?::ss)?(?:XXX|xxx)?)?$/.test(date);
  const parts = [
    settings.delimiter === undefined && delimiter !== "," && `cells parted by ${markName(delimiter)}`,
    settings.decimal === undefined && decimal === "," && "a decimal comma",
    settings.thousands === undefined &&
      thousands !== undefined &&
      `thousands parted by ${markName(thousands)}`,
    settings.dateFormat === undefined && odd && `dates as ${date}`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? undefined : `read with ${parts.join(", ")}`;
}

function markName(mark: string): string {
  return { "\t": "tabs", " ": "blanks", "\u00A0": "blanks", "\u202F": "blanks" }[mark] ?? `"${mark}"`;
}

/** Numbers and dates as a table: turned, in the order of time, without missing values, with a step. */
function finished(
  rows: FileRows,
  dates: FileDates | undefined,
  layout: Layout,
  settings: CsvSettings,
  notes: readonly string[],
): Omit<TableAndReport, "reading"> {
  const { missing, gaps, limits } = settings;
  const fail = (what: string, row: number) => csvError(rows.name, what, rows.lines[row]);
  if (rows.ids !== undefined && dates === undefined)
    throw csvError(rows.name, "--pivot needs a column of dates.");
  const plain: RawRows = {
    name: rows.name,
    columns: rows.columns,
    rows: rows.rows,
    values: rows.values,
    timestamps: dates?.timestamps,
    offsets: dates?.offsets,
  };
  const wide =
    rows.ids === undefined || dates === undefined
      ? inOrder(plain, rows, layout)
      : chosen(
          pivoted(
            { ...plain, timestamps: dates.timestamps, ids: rows.ids },
            dates.style.columns.map(({ name }) => name),
            limits.cells,
            fail,
          ),
          settings,
        );
  const reversed =
    wide !== plain && rows.ids === undefined ? ["the newest row came first: turned round"] : [];
  const { rows: known, report } = handleMissing(wide, missing);
  const found = [...notes, ...reversed, ...suspects(wide)];
  if (known.timestamps === undefined || dates === undefined) {
    return { table: known, missing: report, notes: found };
  }
  const step = stepOf(known.timestamps, known.offsets);
  if (step?.milliseconds === 0) throw repeated(rows, layout, settings);
  const { style } = dates;
  if (step === undefined) return { table: { ...known, step, dates: style }, missing: report, notes: found };
  const show = (row: number) => formatDate(style, known.timestamps![row]!, known.offsets?.[row]).join(" ");
  const dated = { ...known, timestamps: known.timestamps, zone: style.zone };
  const result = handleGaps(dated, step, gaps, missing, show, limits.cells);
  const { zone: _, ...table } = result.rows;
  const even = result.rows === dated ? step : stepOf(table.timestamps, table.offsets);
  return {
    table: { ...table, step: even, dates: style, ...(result.breaks && { breaks: result.breaks }) },
    missing: report,
    notes: [...found, ...(result.note === undefined ? [] : [result.note])],
  };
}

function chosen(wide: RawRows, { series }: CsvSettings): RawRows {
  return series === undefined ? wide : selectSeries(wide, series);
}

/** Rows in the order of time. Those that come newest first are turned round. */
function inOrder(raw: RawRows, rows: FileRows, layout: Layout): RawRows {
  const { timestamps, offsets } = raw;
  if (timestamps === undefined) return raw;
  const instant = (row: number) => timestamps[row]! - (offsets?.[row] ?? 0);
  const back: number[] = [];
  for (let row = 1; row < raw.rows; row++) if (instant(row) < instant(row - 1)) back.push(row);
  if (back.length === 0) return raw;
  if (back.length === raw.rows - 1 && raw.rows > 2) return turned(raw);
  // Without a zone the clock is set back by an hour or less, once a year.
  const years = (instant(raw.rows - 1) - instant(0)) / 31_557_600_000;
  const setBack = offsets === undefined && back.every((row) => instant(row - 1) - instant(row) <= 3_600_000);
  if (setBack && back.length <= Math.ceil(years) + 1) return raw;
  const [first] = back as [number, ...number[]];
  throw csvError(
    raw.name,
    `${rows.dates.map((texts) => texts[first]).join(" ")} is before the date of the row above. Sort the file by date.`,
    rows.lines[first],
    layout.dates.map((index) => layout.names[index]!).join(", "),
  );
}

function turned(raw: RawRows): RawRows {
  const width = raw.columns.length;
  const values = new Float64Array(raw.values.length);
  for (let row = 0; row < raw.rows; row++) {
    values.set(raw.values.subarray(row * width, (row + 1) * width), (raw.rows - 1 - row) * width);
  }
  return { ...raw, values, timestamps: raw.timestamps?.toReversed(), offsets: raw.offsets?.toReversed() };
}

function repeated(rows: FileRows, layout: Layout, { pivot }: CsvSettings): EspalierError {
  const texts = new Set(rows.dates[0]!.map((_, row) => rows.dates.map((one) => one[row]).join(" ")));
  if (2 * texts.size > rows.rows) {
    return csvError(
      rows.name,
      "most rows are less than a millisecond after the one before, and dates are kept to the millisecond. Give --date-column none.",
    );
  }
  const width = layout.series.length;
  const sample = Array.from({ length: Math.min(rows.rows, 1000) }, (_, row) => {
    const cells = Array<string>(layout.width).fill("");
    layout.dates.forEach((index, i) => {
      cells[index] = rows.dates[i]![row]!;
    });
    layout.series.forEach((index, i) => {
      cells[index] = `${rows.values[row * width + i]}`;
    });
    return cells;
  });
  const id = pivot ?? suggestedId({ ...layout, header: false }, sample, { decimal: "." });
  const advice = id === undefined ? "--pivot with the column that names the series" : `--pivot "${id}"`;
  return csvError(
    rows.name,
    `most dates repeat the one before. One row a time step, one column a series is needed; where each row holds one series, give ${advice}.`,
  );
}
