import type { EspalierError } from "@espalier/core";
import { type DateColumn, type DateFault, detectDates, readDates } from "../dates/column.ts";
import { clockReading } from "../dates/detect.ts";
import { countsFrom1970, dateFormat, wholeDateFormat } from "../dates/format.ts";
import type { DateStyle } from "../dates/style.ts";
import { offsetAt, offsetsOf, zoneOf } from "../dates/zone.ts";
import { shown } from "./cells.ts";
import type { CsvSettings } from "./options.ts";

/** The dates of a file's rows. */
export interface FileDates {
  readonly timestamps: Float64Array;
  readonly offsets?: Float64Array | undefined;
  readonly style: DateStyle;
}

/** The texts of a column of dates, or of a part of them. */
export interface DateTexts {
  readonly name: string;
  readonly texts: readonly string[];
}

const calendar = ["yyyy", "M", "d", "H", "m"];

/**
 * Reads the columns of dates: one; a date and a time; or year, month, day, hour and minute.
 *
 * @param fail makes an error of a row, from 0, and what is wrong there.
 * @param ids which series each row is of, where a row holds one.
 */
export function fileDates(
  columns: readonly DateTexts[],
  settings: CsvSettings,
  fail: (what: string, row: number, column: string) => EspalierError,
  ids?: readonly string[],
): FileDates {
  const read = joined(columns, settings);
  if ("fault" in read) throw faultError(read, columns, settings, fail);
  const styled = columns.map(({ name }, i) => ({ name, pattern: read.patterns[i]! }));
  const { timeZone } = settings;
  const { walls, offsets } = read;
  if (offsets !== undefined) {
    const constant = offsets.every((offset) => offset === offsets[0]);
    const instants = walls.map((wall, i) => wall - offsets[i]!);
    if (timeZone !== undefined) {
      const found = instants.map((instant) => offsetAt(timeZone, instant));
      const other = found.some((offset, i) => offset !== offsets[i]);
      const style = { columns: styled, zone: timeZone, ...(other && constant && { offset: offsets[0]! }) };
      return { timestamps: instants.map((instant, i) => instant + found[i]!), offsets: found, style };
    }
    const zone = zoneOf(instants, offsets);
    if (constant && zone === undefined) {
      return { timestamps: walls, style: { columns: styled, offset: offsets[0]! } };
    }
    return { timestamps: walls, offsets, style: { columns: styled, ...(zone !== undefined && { zone }) } };
  }
  if (timeZone === undefined) return { timestamps: walls, style: { columns: styled } };
  const style = { columns: styled, zone: timeZone };
  if (countsFrom1970(styled[0]!.pattern)) {
    const found = walls.map((instant) => offsetAt(timeZone, instant));
    return { timestamps: walls.map((instant, i) => instant + found[i]!), offsets: found, style };
  }
  const found = offsetsOf(timeZone, walls, ids);
  if ("missing" in found) {
    const { name, texts } = columns[0]!;
    throw fail(
      `${shown(texts[found.missing]!)} is skipped by the clocks of ${timeZone}. Give another --time-zone.`,
      found.missing,
      name,
    );
  }
  return { timestamps: walls, offsets: found, style };
}

type Read = Omit<DateColumn, "pattern"> & { readonly patterns: readonly string[] };

function joined(columns: readonly DateTexts[], settings: CsvSettings): Read | DateFault {
  const { dateFormat: given, like } = settings;
  const [date, clock] = columns;
  const by = (texts: readonly string[], known?: string) => {
    const pattern = given ?? like?.dateFormat;
    return pattern === undefined
      ? detectDates(texts, true, known)
      : readDates(texts, wholeDateFormat(pattern));
  };
  const known = like?.dates?.columns.map(({ pattern }) => pattern);
  if (columns.length === 1) {
    const read = by(date!.texts, known?.[0]);
    return "fault" in read ? read : { ...read, patterns: [read.pattern] };
  }
  if (columns.length > 2 || /^\d{4}$/.test(date!.texts[0]!)) {
    const patterns = calendar.slice(0, columns.length);
    const texts = date!.texts.map((_, row) => columns.map((column) => column.texts[row]!).join(" "));
    const read = readDates(texts, dateFormat(patterns.join(" ")));
    return "fault" in read ? read : { ...read, patterns };
  }
  const written = clockReading(clock!.texts[0]!);
  const tail = written === undefined ? ":00" : "";
  const texts = date!.texts.map((text, row) => `${text} ${clock!.texts[row]!}${tail}`);
  const read = by(texts, known && `${known[0]} ${known[1]}${written === undefined ? ":mm" : ""}`);
  if ("fault" in read) return read;
  const at = read.pattern.search(/ [Hh]/);
  const behind = read.pattern.slice(at + 1);
  const ofClock = written === undefined ? behind.replace(":mm", "") : behind;
  return { ...read, patterns: [read.pattern.slice(0, at), ofClock] };
}

function faultError(
  fault: DateFault,
  columns: readonly DateTexts[],
  { dateFormat: given }: CsvSettings,
  fail: (what: string, row: number, column: string) => EspalierError,
): EspalierError {
  const text = columns.map(({ texts }) => texts[fault.row]).join(" ");
  const name = columns.map((column) => column.name).join(", ");
  if (fault.fault === "order") {
    const may = fault.firsts.map((part) => `with the ${part}`).join(" or ");
    const formats = fault.patterns.map((pattern) => `"${pattern}"`).join(" or ");
    return fail(
      `"${shown(text)}" may begin ${may}, and no row tells. Give --date-format ${formats}.`,
      fault.row,
      name,
    );
  }
  if (fault.row > 9 && fault.row === columns[0]!.texts.length - 1 && !/\d/.test(text)) {
    return fail(
      `"${shown(text)}" is not a date. Does the last row hold totals or a remark? Delete it.`,
      fault.row,
      name,
    );
  }
  const what =
    given === undefined ? "is not a date that is understood" : `is not a date of the format "${given}"`;
  return fail(
    `"${shown(text)}" ${what}. Correct the cell, give --date-format (such as "dd/MM/yyyy HH:mm"), or --date-column with another column, or none.`,
    fault.row,
    name,
  );
}
