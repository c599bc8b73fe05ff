import { EspalierError } from "@espalier/core";
import { isoWeek, weekday } from "./week.ts";

/** A moment as a source writes it. */
export interface Moment {
  /** The wall clock, in milliseconds as if it were UTC. */
  readonly wall: number;
  /** Milliseconds that the clock is ahead of UTC, where the text says so. */
  readonly offset?: number | undefined;
}

/** Reads and writes dates in one way. */
export interface DateFormat {
  /** The pattern that {@link dateFormat} was given. */
  readonly pattern: string;
  /** The moment, or `undefined` where the text is written in another way or is no date of the calendar. */
  parse(text: string): Moment | undefined;
  /** A moment as text in this format. */
  format(moment: Moment): string;
}

const day = 86_400_000;
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/** Names of months and weekdays in English, for detection. */
export const monthNames: readonly string[] = months;
export const weekdayNames: readonly string[] = weekdays;

/** Parts of a date's text. */
interface Fields {
  year?: number;
  weekYear?: number;
  week?: number;
  weekday?: number;
  quarter?: number;
  month?: number;
  day?: number;
  hour?: number;
  pm?: boolean;
  minute?: number;
  second?: number;
  fraction?: number;
  offset?: number;
}

interface Symbol {
  /** Source of a regular expression with one group. */
  readonly source: string;
  read(text: string, into: Fields): void;
  write(date: Date, offset: number): string;
}

const two = (n: number) => `${n}`.padStart(2, "0");
const four = (n: number) => `${n}`.padStart(4, "0");

function digits(key: keyof Fields & string, padded: boolean, of: (date: Date) => number): Symbol {
  return {
    source: "(\\d{1,2})",
    read: (text, into) => Object.assign(into, { [key]: Number(text) }),
    write: (date) => (padded ? two(of(date)) : `${of(date)}`),
  };
}

function named(
  key: keyof Fields & string,
  names: readonly string[],
  short: boolean,
  of: (date: Date) => number,
): Symbol {
  const first = (name: string) => name.slice(0, 3).toLowerCase();
  return {
    // "Sept" is written nearly as often as "Sep".
    source: "([A-Za-z]{3,9})\\.?",
    read: (text, into) => {
      const index = names.findIndex(
        (name) =>
          first(name) === first(text) && (text.length <= 4 || name.toLowerCase() === text.toLowerCase()),
      );
      Object.assign(into, { [key]: index + 1 });
    },
    write: (date) => {
      const name = names[of(date) - 1]!;
      return short ? name.slice(0, 3) : name;
    },
  };
}

function zone(colon: boolean, zulu: boolean, hoursOnly: boolean): Symbol {
  return {
    source: "(Z|[+-]\\d{2}(?::?\\d{2})?)",
    read: (text, into) => {
      const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})?$/.exec(text) ?? [];
      const size = Number(hours ?? 0) * 60 + Number(minutes ?? 0);
      into.offset = (sign === "-" ? -size : size) * 60_000;
    },
    write: (_, offset) => {
      if (zulu && offset === 0) return "Z";
      const size = Math.abs(offset) / 60_000;
      const hours = `${offset < 0 ? "-" : "+"}${two(Math.floor(size / 60))}`;
      return hoursOnly && size % 60 === 0 ? hours : `${hours}${colon ? ":" : ""}${two(size % 60)}`;
    },
  };
}

function half(am: string, pm: string): Symbol {
  return {
    source: "([AaPp]\\.?[Mm]\\.?)",
    read: (text, into) => {
      into.pm = /^p/i.test(text);
    },
    write: (date) => (date.getUTCHours() < 12 ? am : pm),
  };
}

const month = (date: Date) => date.getUTCMonth() + 1;
const hour12 = (date: Date) => date.getUTCHours() % 12 || 12;

const symbols: Readonly<Record<string, Symbol>> = {
  yyyy: {
    source: "(\\d{4})",
    read: (text, into) => {
      into.year = Number(text);
    },
    write: (date) => four(date.getUTCFullYear()),
  },
  // As POSIX has it: 69 is 1969, 68 is 2068.
  yy: {
    source: "(\\d{2})",
    read: (text, into) => {
      into.year = Number(text) + (Number(text) < 69 ? 2000 : 1900);
    },
    write: (date) => two(date.getUTCFullYear() % 100),
  },
  MMMM: named("month", months, false, month),
  MMM: named("month", months, true, month),
  MM: digits("month", true, month),
  M: digits("month", false, month),
  dd: digits("day", true, (date) => date.getUTCDate()),
  d: digits("day", false, (date) => date.getUTCDate()),
  HH: digits("hour", true, (date) => date.getUTCHours()),
  H: digits("hour", false, (date) => date.getUTCHours()),
  hh: digits("hour", true, hour12),
  h: digits("hour", false, hour12),
  mm: digits("minute", true, (date) => date.getUTCMinutes()),
  m: digits("minute", false, (date) => date.getUTCMinutes()),
  ss: digits("second", true, (date) => date.getUTCSeconds()),
  s: digits("second", false, (date) => date.getUTCSeconds()),
  // As date-fns has them.
  a: half("AM", "PM"),
  aaa: half("am", "pm"),
  aaaa: half("a.m.", "p.m."),
  EEEE: named("weekday", weekdays, false, weekday),
  EEE: named("weekday", weekdays, true, weekday),
  Q: {
    source: "([1-4])",
    read: (text, into) => {
      into.quarter = Number(text);
    },
    write: (date) => `${Math.floor(date.getUTCMonth() / 3) + 1}`,
  },
  YYYY: {
    source: "(\\d{4})",
    read: (text, into) => {
      into.weekYear = Number(text);
    },
    write: (date) => four(isoWeek(date).year),
  },
  ww: digits("week", true, (date) => isoWeek(date).week),
  w: digits("week", false, (date) => isoWeek(date).week),
  e: {
    source: "([1-7])",
    read: (text, into) => {
      into.weekday = Number(text);
    },
    write: (date) => `${weekday(date)}`,
  },
  XXX: zone(true, true, false),
  XX: zone(false, true, false),
  X: zone(false, true, true),
  xxx: zone(true, false, false),
  xx: zone(false, false, false),
  x: zone(false, false, true),
};

function fraction(places: number): Symbol {
  return {
    source: "(\\d{1,9})",
    read: (text, into) => {
      into.fraction = Math.floor(Number(`0.${text}`) * 1000 + 1e-9);
    },
    write: (date) => `${date.getUTCMilliseconds()}`.padStart(3, "0").padEnd(places, "0").slice(0, places),
  };
}

/** Numbers that stand for a date, by the name that takes a pattern's place. */
const numeric: Readonly<Record<string, Omit<DateFormat, "pattern">>> = {
  unix: counting(1000, /^-?\d{1,11}(?:\.\d+)?$/),
  "unix-ms": counting(1, /^-?\d{1,14}(?:\.\d+)?$/),
  "unix-us": counting(1e-3, /^\d{15,17}$/),
  "unix-ns": counting(1e-6, /^\d{18,20}$/),
  // Days since 1899-12-30: as serials are rounded, the nearest second is what was meant.
  excel: {
    parse: (text) =>
      /^\d{1,6}(?:[.,]\d+)?$/.test(text)
        ? { wall: Math.round((Number(text.replace(",", ".")) - 25_569) * 86_400) * 1000 }
        : undefined,
    format: ({ wall }) => `${Number((wall / day + 25_569).toFixed(6))}`,
  },
};

function counting(milliseconds: number, shape: RegExp): Omit<DateFormat, "pattern"> {
  const zeros = milliseconds < 1 ? Math.round(-Math.log10(milliseconds)) : 0;
  return {
    parse: (text) => (shape.test(text) ? { wall: Math.round(Number(text) * milliseconds) } : undefined),
    format: ({ wall, offset = 0 }) => {
      const instant = wall - offset;
      return zeros > 0 ? `${instant}${"0".repeat(zeros)}` : `${Number((instant / milliseconds).toFixed(3))}`;
    },
  };
}

/** Whether numbers of this format count from a moment that is the same everywhere. */
export function countsFrom1970(pattern: string): boolean {
  return pattern.startsWith("unix");
}

/** Names that stand for numbers instead of a pattern: `unix`, `unix-ms`, `unix-us`, `unix-ns`, `excel`. */
export const numericFormats: readonly string[] = Object.keys(numeric);

const made = new Map<string, DateFormat>();

/**
 * A format of a pattern: Unicode's letters as Luxon, date-fns and Java have them (`yyyy-MM-dd HH:mm`, `d/M/yy h:mm a`,
 * `dd-MMM-yyyy`, `yyyy-'Q'Q`, `YYYY-'W'ww`, `XXX` for `+02:00` or `Z`; letters that are meant as they stand in single
 * quotes), strptime's (`%d/%m/%Y %H:%M`), or `unix`, `unix-ms`, `unix-us`, `unix-ns`,
 * `excel` for numbers.
 *
 * @throws EspalierError for a pattern with unknown letters, or from which no date follows.
 */
export function dateFormat(pattern: string): DateFormat {
  const known = made.get(pattern);
  if (known !== undefined) return known;
  const format = Object.hasOwn(numeric, pattern) ? { pattern, ...numeric[pattern]! } : compile(pattern);
  made.set(pattern, format);
  return format;
}

/**
 * A format whose texts say a whole date, so that dates can go on by it.
 *
 * @throws EspalierError as `dateFormat` does, and for a pattern that lacks the year, or the month or hour of its smaller parts.
 */
export function wholeDateFormat(pattern: string): DateFormat {
  const format = dateFormat(pattern);
  if (Object.hasOwn(numeric, pattern)) return format;
  const letters = new Set(
    piecesOf(pattern).flatMap((piece) => {
      if (typeof piece === "string") return [];
      return Object.keys(symbols).filter((name) => symbols[name] === piece);
    }),
  );
  const has = (letter: string) => [...letters].some((name) => name.startsWith(letter));
  const refuse = (what: string) => new EspalierError(`date format "${pattern}": ${what}`);
  if (has("w") && !has("Y")) throw refuse("the year of weeks (ww) is YYYY, as in \"YYYY-'W'ww\".");
  if (!has("y") && !has("Y")) {
    throw refuse(
      "has no year, so nobody knows which moments are meant. Add the year, or give --date-column none.",
    );
  }
  if (has("d") && !has("M")) throw refuse("has a day, but no month. M is for months, m for minutes.");
  if (has("m") && !has("H") && !has("h"))
    throw refuse("has minutes, but no hour. M is for months, m for minutes.");
  if (has("h") && !has("H") && !has("a"))
    throw refuse("has hours to 12 (h), but no AM or PM (a). H is for hours to 23.");
  return format;
}

function compile(pattern: string): DateFormat {
  const pieces = piecesOf(pattern);
  const letters = pieces.flatMap((piece) => (typeof piece === "string" ? [] : [piece]));
  const source = pieces.map((piece) => (typeof piece === "string" ? quoted(piece) : piece.source)).join("");
  const shape = new RegExp(`^${source}$`);
  const utc = pieces.some((piece) => typeof piece === "string" && /^\s*(?:UTC|GMT|Z)$/i.test(piece));
  return {
    pattern,
    parse(text) {
      const match = shape.exec(text);
      if (match === null) return undefined;
      const fields: Fields = {};
      for (const [i, symbol] of letters.entries()) symbol.read(match[i + 1]!, fields);
      const wall = wallOf(fields);
      return wall === undefined ? undefined : { wall, offset: fields.offset ?? (utc ? 0 : undefined) };
    },
    format({ wall, offset = 0 }) {
      const date = new Date(utc ? wall - offset : wall);
      return pieces.map((piece) => (typeof piece === "string" ? piece : piece.write(date, offset))).join("");
    },
  };
}

function quoted(literal: string): string {
  return /^\s+$/.test(literal) ? "\\s+" : literal.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

function piecesOf(pattern: string): (string | Symbol)[] {
  const unicode = pattern.includes("%") ? fromStrptime(pattern) : pattern;
  const pieces = unicode.match(/'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+/g) ?? [];
  if (/[YD]/.test(unicode.replace(/'[^']*'/g, "")) && !/w/.test(unicode)) {
    const meant = unicode.replaceAll("Y", "y").replaceAll("D", "d");
    throw new EspalierError(
      `date format "${pattern}": years are y and days are d. Did you mean "${meant}"? (M is for months, m for minutes.)`,
    );
  }
  return pieces.map((piece) => {
    if (piece === "''") return "'";
    if (piece.startsWith("'")) return piece.slice(1, -1).replaceAll("''", "'");
    if (!/^[A-Za-z]/.test(piece)) return piece;
    // ISO 8601's T and Z stand in so many patterns without quotes that nothing else can be meant.
    if (piece === "T") return piece;
    if (piece === "Z") return symbols.XXX!;
    if (/^S+$/.test(piece)) return fraction(piece.length);
    const symbol = symbols[piece];
    if (symbol === undefined) {
      throw new EspalierError(
        `date format "${pattern}": "${piece}" is not known. Such a format is "dd/MM/yyyy HH:mm" (text in single quotes stands for itself), "%d/%m/%Y %H:%M", or one of ${numericFormats.join(", ")}.`,
      );
    }
    return symbol;
  });
}

const strptime: Readonly<Record<string, string>> = {
  Y: "yyyy",
  y: "yy",
  m: "MM",
  d: "dd",
  H: "HH",
  I: "hh",
  M: "mm",
  S: "ss",
  f: "SSSSSS",
  p: "a",
  b: "MMM",
  B: "MMMM",
  a: "EEE",
  A: "EEEE",
  z: "xx",
  G: "YYYY",
  V: "ww",
  u: "e",
  "%": "'%'",
};

function fromStrptime(pattern: string): string {
  const text = pattern.replaceAll("%F", "%Y-%m-%d").replaceAll("%T", "%H:%M:%S");
  return text.replace(/%-?(.)|([A-Za-z]+)/g, (found, letter: string | undefined, literal?: string) => {
    if (literal !== undefined) return `'${literal}'`;
    const unicode = strptime[letter!];
    if (unicode === undefined) throw new EspalierError(`date format "${pattern}": "${found}" is not known.`);
    return found.startsWith("%-") ? unicode.slice(1) : unicode;
  });
}

function wallOf(f: Fields): number | undefined {
  const midnight = midnightOf(f);
  if (midnight === undefined) return undefined;
  const { minute = 0, second = 0, fraction: rest = 0, pm } = f;
  let { hour = 0 } = f;
  if (pm !== undefined) {
    if (hour < 1 || hour > 12) return undefined;
    hour = (hour % 12) + (pm ? 12 : 0);
  }
  const inDay = hour * 3_600_000 + minute * 60_000 + second * 1000 + rest;
  return minute > 59 || second > 59 || inDay > day ? undefined : midnight + inDay;
}

function midnightOf(f: Fields): number | undefined {
  if (f.week !== undefined) return mondayOf(f.weekYear ?? f.year ?? 1970, f.week, f.weekday ?? 1);
  const { year = 1970, quarter } = f;
  const of = f.month ?? (quarter === undefined ? 1 : 3 * quarter - 2);
  const inMonth = f.day ?? 1;
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, of - 1, inMonth);
  const exists = midnight.getUTCMonth() === of - 1 && midnight.getUTCDate() === inMonth;
  return exists && (f.weekday === undefined || f.weekday > 0) ? midnight.getTime() : undefined;
}

function mondayOf(year: number, week: number, of: number): number | undefined {
  const fourth = Date.UTC(year, 0, 4);
  const date = fourth + ((week - 1) * 7 + of - weekday(new Date(fourth))) * day;
  const back = isoWeek(new Date(date));
  return back.year === year && back.week === week ? date : undefined;
}
