import { dateFormat, monthNames, weekdayNames } from "./format.ts";

/** The part that a date of two-digit numbers begins with, if its text leaves that open. */
export type FirstPart = "day" | "month" | "year";

/** Every part that may be first. */
export const firstParts: readonly FirstPart[] = ["day", "month", "year"];

/** The patterns that a text can be read by: one; or several, by the part that may be first. */
export interface Reading {
  readonly plain?: string;
  readonly either?: Readonly<Partial<Record<FirstPart, string>>>;
  /** Whether the year is last by convention. */
  readonly yearLast?: boolean;
}

const name = (names: readonly string[]) =>
  names.map((word) => `${word.slice(0, 3)}(?:${word.slice(3)})?`).join("|");
const monthName = `(?:${name(monthNames)}|Sept)\\.?`;
const weekdayName = `(?:${name(weekdayNames)})`;
const clock =
  "(?<hour>\\d{1,2}):(?<minute>\\d{2})(?::(?<second>\\d{2})(?:(?<mark>[.,])(?<fraction>\\d{1,9}))?)?(?:(?<gap> ?)(?<half>[AaPp]\\.?[Mm]\\.?))?";
const zone = "(?<before> ?)(?<zone>Z|UTC|GMT|[+-]\\d{2}(?::?\\d{2})?)";

const whole = new RegExp(
  `^(?:(?<weekday>${weekdayName})(?<comma>[, ]+))?(?<date>\\S.*?)(?:(?<between>T|[ ,]+| - )${clock}(?:${zone})?)?$`,
  "i",
);
const clockOnly = new RegExp(`^${clock}$`);

/** Patterns of the parts of a date without a clock, tried in order. */
const dates: readonly (readonly [shape: RegExp, of: (...groups: string[]) => Reading])[] = [
  [
    /^(\d{4})([-/. ])(\d{1,2})\2(\d{1,2})$/,
    (_, s, m, d) => plain(`yyyy${s}${wide("M", m)}${s}${wide("d", d)}`),
  ],
  [
    /^(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})$/,
    (a, s, b, y) => {
      const day = `${wide("d", a)}${s}${wide("M", b)}${s}${years(y)}`;
      const year = a?.length === 2 && b?.length === 2 && y?.length === 2 && { year: `yy${s}MM${s}dd` };
      // Months come first only where slashes or dashes part them; a dash is ISO 8601's, whose years come first.
      const month = s !== "." && s !== " " && { month: `${wide("M", a)}${s}${wide("d", b)}${s}${years(y)}` };
      return month || year ? { either: { day, ...month, ...year }, yearLast: s !== "-" } : plain(day);
    },
  ],
  [
    new RegExp(`^(\\d{1,2})(\\.?[-/ ]|\\.)(${monthName})([-/ ]|, )(\\d{4}|\\d{2})$`, "i"),
    (d, s, m, t, y) => plain(`${wide("d", d)}${s}${letters(m)}${t}${years(y)}`),
  ],
  [
    new RegExp(`^(\\d{1,2})(${monthName})(\\d{4}|\\d{2})$`, "i"),
    (d, m, y) => plain(`${wide("d", d)}${letters(m)}${years(y)}`),
  ],
  [
    new RegExp(`^(${monthName})([- ])(\\d{1,2})(, ?| )(\\d{4})$`, "i"),
    (m, s, d, t, y) => plain(`${letters(m)}${s}${wide("d", d)}${t}${years(y)}`),
  ],
  [
    new RegExp(`^(\\d{4})([-/ ])(${monthName})\\2(\\d{1,2})$`, "i"),
    (_, s, m, d) => plain(`yyyy${s}${letters(m)}${s}${wide("d", d)}`),
  ],
  [/^(\d{4})([-/])(\d{1,2})$/, (_, s, m) => plain(`yyyy${s}${wide("M", m)}`)],
  [/^(\d{1,2})([-/])(\d{4})$/, (m, s) => plain(`${wide("M", m)}${s}yyyy`)],
  [
    new RegExp(`^(${monthName})([-/ ]|, )(\\d{4}|\\d{2})$`, "i"),
    (m, s, y) => plain(`${letters(m)}${s}${years(y)}`),
  ],
  [new RegExp(`^(\\d{4})([-/ ])(${monthName})$`, "i"), (_, s, m) => plain(`yyyy${s}${letters(m)}`)],
  [/^(\d{4})(M)(\d{2})$/, () => plain("yyyy'M'MM")],
  [/^(\d{4})([- ]?)W(\d{1,2})$/, (_, s, w) => plain(`YYYY${s}'W'${wide("w", w)}`)],
  [/^(\d{4})(-?)W(\d{2})-?(\d)$/, (_, s) => plain(`YYYY${s}'W'ww${s}e`)],
  [/^(\d{4})([- ]?)Q([1-4])$/, (_, s) => plain(`yyyy${s}'Q'Q`)],
  [/^Q([1-4])([-/ ]?)(\d{4})$/, (_, s) => plain(`'Q'Q${s}yyyy`)],
  [/^(?:19|20)\d{6}$/, () => plain("yyyyMMdd")],
  [/^(?:19|20)\d{6}([T ])\d{4}(Z?)$/, (t, z) => plain(`yyyyMMdd${t}HHmm${z && "XXX"}`)],
  [/^(?:19|20)\d{6}([T ])\d{6}(Z?)$/, (t, z) => plain(`yyyyMMdd${t}HHmmss${z && "XXX"}`)],
];

const plain = (pattern: string): Reading => ({ plain: pattern });
const wide = (letter: string, digits: string | undefined) => letter.repeat(digits?.length ?? 1);
const years = (digits: string | undefined) => "y".repeat(digits!.length);
const letters = (word: string | undefined) => {
  const bare = word!.replace(".", "");
  return `${bare.length <= 4 && !/^(June|July)$/i.test(bare) ? "MMM" : "MMMM"}${word!.endsWith(".") ? "." : ""}`;
};

/** How a text reads as a date with words or separators; `undefined` for anything else, plain numbers included. */
export function readingOf(text: string): Reading | undefined {
  const match = whole.exec(text);
  if (match === null) return undefined;
  const g = match.groups as Record<string, string | undefined>;
  const date = dateReading(g.date!);
  if (date === undefined) return undefined;
  const front = g.weekday === undefined ? "" : `${g.weekday.length > 5 ? "EEEE" : "EEE"}${g.comma!}`;
  const between = g.between === "t" ? "'t'" : g.between;
  const back = g.hour === undefined ? "" : `${between}${clockPattern(g)}${zonePattern(g)}`;
  const around = (pattern: string) => `${front}${pattern}${back}`;
  if (date.plain !== undefined) return plain(around(date.plain));
  const either = Object.fromEntries(
    Object.entries(date.either!).map(([part, pattern]) => [part, around(pattern)]),
  );
  return { ...date, either };
}

function dateReading(text: string): Reading | undefined {
  for (const [shape, of] of dates) {
    const match = shape.exec(text);
    if (match !== null) return of(...match.slice(1));
  }
  return undefined;
}

/** The pattern of a time of day, such as `HH:mm`; `undefined` for anything else. */
export function clockReading(text: string): string | undefined {
  const match = clockOnly.exec(text);
  return match === null ? undefined : clockPattern(match.groups as Record<string, string | undefined>);
}

function clockPattern({
  hour,
  second,
  mark,
  fraction,
  gap,
  half,
}: Record<string, string | undefined>): string {
  const of = wide(half === undefined ? "H" : "h", hour);
  const rest = fraction === undefined ? "" : `${mark}${"S".repeat(fraction.length)}`;
  const letter = half?.includes(".") ? "aaaa" : /^[ap]/.test(half ?? "") ? "aaa" : "a";
  const behind = half === undefined ? "" : `${gap}${letter}`;
  return `${of}:mm${second === undefined ? "" : `:ss${rest}`}${behind}`;
}

function zonePattern({ zone: text, before }: Record<string, string | undefined>): string {
  if (text === undefined) return "";
  if (text === "Z") return `${before}XXX`;
  if (/^[a-z]+$/i.test(text)) return `${before}'${text}'`;
  return `${before}${text.includes(":") ? "xxx" : text.length > 3 ? "xx" : "x"}`;
}

/**
 * Formats for whole numbers in a column that is said to hold dates, the likeliest first, told by their size: years,
 * months, days, serial numbers of spreadsheets, seconds and smaller units since 1970.
 */
export function numericPatterns(text: string): string[] {
  if (!/^\d+(?:[.,]\d+)?$/.test(text)) return [];
  const [digits = "", rest] = text.split(/[.,]/);
  const n = Number(digits);
  if (rest === undefined) {
    if (/^[12]\d{3}$/.test(digits)) return ["yyyy"];
    if (/^(?:19|20)\d\d(?:0[1-9]|1[0-2])$/.test(digits)) return ["yyyyMM"];
    if (/^(?:19|20)\d{6}$/.test(digits)) return ["yyyyMMdd"];
    if (/^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])$/.test(digits))
      return ["yyyyMMddHH", "unix"];
    if (/^(?:19|20)\d{10}$/.test(digits)) return ["yyyyMMddHHmm", "unix-ms"];
    if (/^(?:19|20)\d{12}$/.test(digits)) return ["yyyyMMddHHmmss"];
    if (/^\d{15,17}$/.test(digits)) return ["unix-us"];
    if (/^\d{18,20}$/.test(digits)) return ["unix-ns"];
  }
  if (digits.length === 5 && n >= 10_000) return ["excel"];
  if (/^\d{9,11}$/.test(digits)) return ["unix"];
  return /^\d{12,14}$/.test(digits) ? ["unix-ms"] : [];
}

/** Whether a text is a date that no number looks like. */
export function looksLikeDate(text: string): boolean {
  const reading = readingOf(text);
  if (reading === undefined || /^\d+$/.test(text)) return false;
  const patterns = reading.plain === undefined ? Object.values(reading.either!) : [reading.plain];
  return patterns.some((pattern) => dateFormat(pattern).parse(text) !== undefined);
}
