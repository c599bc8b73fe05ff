import { looksLikeDate } from "../dates/detect.ts";

/** How numbers are written. */
export interface NumberMarks {
  readonly decimal: "." | ",";
  /** Separator between thousands; absent if there is none. */
  readonly thousands?: string | undefined;
}

const point = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const spreadsheetErrors = ["#n/a", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"];
const missing = new Set([
  "",
  "nan",
  "na",
  "n/a",
  "<na>",
  "null",
  "none",
  "nil",
  "-",
  "?",
  ".",
  ...spreadsheetErrors,
]);

/** The finite number that a cell holds, or `undefined`: no hexadecimal, no infinity. */
export function parseNumber(cell: string, marks: NumberMarks): number | undefined {
  const signed = cell.replace(/^\u2212/, "-");
  const text = marks.thousands === undefined ? signed : withoutThousands(signed, marks.thousands);
  const plain = marks.decimal === "," ? (text.includes(".") ? "." : text.replace(",", ".")) : text;
  if (!point.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

/** Marks are taken out only where every one of them has three digits behind it. */
function withoutThousands(cell: string, mark: string): string {
  if (!cell.includes(mark)) return cell;
  const groups = cell.split(mark);
  const whole =
    /^[+-]?\d{1,3}$/.test(groups[0]!) &&
    groups.slice(1, -1).every((group) => /^\d{3}$/.test(group)) &&
    /^\d{3}(?!\d)/.test(groups.at(-1)!);
  return whole ? groups.join("") : cell;
}

/** Whether a cell says that its value is missing: empty, `NaN`, `NA`, `null` and the like, in any case. */
export function saysMissing(cell: string): boolean {
  return missing.has(cell.toLowerCase());
}

/** Whether a cell can only be a name: neither a number in any way of writing, nor a date, nor a missing value. */
export function isName(cell: string): boolean {
  return (
    !saysMissing(cell) && !/^[+\u2212-]?[\d.,\s'’]*\d(?:[eE][+-]?\d+)?$/.test(cell) && !looksLikeDate(cell)
  );
}

/** A cell as a message shows it: on one line, and not too long. */
export function shown(cell: string): string {
  const line = cell.replace(/\s+/g, " ");
  return line.length > 40 ? `${line.slice(0, 40)}…` : line;
}
