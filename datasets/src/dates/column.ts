import { type FirstPart, firstParts, numericPatterns, type Reading, readingOf } from "./detect.ts";
import { type DateFormat, dateFormat } from "./format.ts";

/** A column of dates, read. */
export interface DateColumn {
  /** `[rows]`, the wall clock in milliseconds as if it were UTC. */
  readonly walls: Float64Array;
  /** `[rows]`, milliseconds ahead of UTC, where the texts say so. */
  readonly offsets?: Float64Array | undefined;
  /** How dates that go on are written. */
  readonly pattern: string;
}

/** The reason why a column could not be read. */
export type DateFault =
  | { readonly fault: "format"; readonly row: number }
  | {
      readonly fault: "order";
      readonly row: number;
      /** The parts that may be first, and the patterns that say so. */
      readonly firsts: readonly FirstPart[];
      readonly patterns: readonly string[];
    };

/** Reads all texts of a column by one format. */
export function readDates(texts: readonly string[], format: DateFormat): DateColumn | DateFault {
  return readBy(texts, () => format, format.pattern);
}

/**
 * Finds out how the dates of a column are written, and reads them. Rows may differ in how much they say (midnight
 * without a clock). Whether `01/02/2024` is in January or in February, and `01-02-03` in 2001 or in 2003, is decided by
 * the whole column: by a number above 12, else by the only order that goes up evenly, else as in `like`.
 *
 * @param numbers whether plain numbers may be dates: seconds since 1970, serial numbers, `20240131`.
 */
export function detectDates(
  texts: readonly string[],
  numbers: boolean,
  like?: string,
): DateColumn | DateFault {
  const numeric = numbers ? numericPatterns(texts[0] ?? "") : [];
  for (const pattern of numeric) {
    const read = readDates(texts, dateFormat(pattern));
    if ("walls" in read) return read;
  }
  if (numeric.length > 0) {
    const format = dateFormat(numeric[0]!);
    return { fault: "format", row: texts.findIndex((text) => format.parse(text) === undefined) };
  }
  const readings = new Map<string, Reading | undefined>();
  const shapes = texts.map((text) => {
    const shape = text.replace(/\d/g, "9");
    if (!readings.has(shape)) readings.set(shape, readingOf(text));
    return shape;
  });
  const unknown = shapes.findIndex((shape) => readings.get(shape) === undefined);
  if (unknown >= 0) return { fault: "format", row: unknown };
  const all = [...readings.values()] as Reading[];
  const by = (first: FirstPart) => {
    const patternOf = (reading: Reading) => reading.plain ?? reading.either![first]!;
    const formats = new Map(
      [...readings].map(([shape, reading]) => [shape, dateFormat(patternOf(reading!))]),
    );
    return readBy(texts, (row) => formats.get(shapes[row]!)!, written(all.map(patternOf)));
  };
  if (all.every((reading) => reading.plain !== undefined)) return by("day");
  const possible = firstParts.filter((part) => all.every(({ plain, either }) => plain ?? either![part]));
  return likeliest(
    possible.map((first) => ({ first, read: by(first) })),
    like,
    all.some(({ yearLast }) => yearLast),
  );
}

/** Of the ways to read a column the one that goes up evenly; of several such the one known from before. */
function likeliest(
  tried: readonly { readonly first: FirstPart; readonly read: DateColumn | DateFault }[],
  like: string | undefined,
  yearLast: boolean,
): DateColumn | DateFault {
  const fit = tried.flatMap(({ first, read }) =>
    "walls" in read ? [{ first, read, uneven: unevenness(read.walls), span: spanOf(read.walls) }] : [],
  );
  if (fit.length === 0) return tried.map(({ read }) => read as DateFault).reduce(furthest);
  const least = Math.min(...fit.map(({ uneven }) => uneven));
  const even = fit.filter(({ uneven }) => uneven === least || uneven < 2 * least);
  const known = even.find(({ read }) => read.pattern === like);
  if (known !== undefined) return known.read;
  // Days that follow each other would be years if the year were elsewhere.
  const year = even.find(({ first }) => first === "year");
  const others = even.filter((one) => one !== year);
  const shortest = Math.min(...others.map(({ span }) => span));
  if (year !== undefined && 10 * year.span < shortest) return year.read;
  const left = yearLast || (year !== undefined && 10 * shortest < year.span) ? others : even;
  const [only = year] = left;
  if (left.length < 2) return only!.read;
  const firsts = left.map(({ first }) => first);
  return { fault: "order", row: 0, firsts, patterns: left.map(({ read }) => read.pattern) };
}

function spanOf(walls: Float64Array): number {
  return Math.abs((walls.at(-1) ?? 0) - (walls[0] ?? 0));
}

function furthest(a: DateFault, b: DateFault): DateFault {
  return a.row >= b.row ? a : b;
}

/**
 * The pattern to write by: that which says most; of those that say the same, the one without leading zeros, but with
 * names in full ("May" is both).
 */
function written(patterns: readonly string[]): string {
  const said = (pattern: string) => new Set(pattern.match(/[A-Za-z]/g)).size;
  return patterns.reduce((a, b) => {
    if (said(a) !== said(b)) return said(a) > said(b) ? a : b;
    if (a.includes("MMMM") !== b.includes("MMMM")) return a.includes("MMMM") ? a : b;
    return b.length < a.length ? b : a;
  });
}

function readBy(
  texts: readonly string[],
  formatOf: (row: number) => DateFormat,
  pattern: string,
): DateColumn | DateFault {
  const walls = new Float64Array(texts.length);
  let offsets: Float64Array | undefined;
  for (const [row, text] of texts.entries()) {
    const moment = formatOf(row).parse(text);
    if (moment === undefined) return { fault: "format", row };
    walls[row] = moment.wall;
    if (moment.offset === undefined) continue;
    offsets ??= new Float64Array(texts.length);
    offsets[row] = moment.offset;
  }
  return { walls, offsets, pattern };
}

/** How many neighbours are not the usual time apart; one that goes back counts as many. */
function unevenness(walls: Float64Array): number {
  if (walls.length < 3) return 0;
  const differences = walls.slice(1).map((wall, i) => wall - walls[i]!);
  const usual = differences.slice().sort()[Math.floor(differences.length / 2)]!;
  const days = 86_400_000;
  const even = (difference: number) =>
    difference === usual || (usual >= 28 * days && Math.abs(difference - usual) <= 0.12 * usual);
  let count = 0;
  for (const difference of differences) count += even(difference) ? 0 : difference < 0 ? 100 : 1;
  return count;
}
