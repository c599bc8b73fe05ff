import { parseTimestamp } from "../timestamps.ts";

const number = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const missing = new Set(["", "nan", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "-", "?", "."]);

/** The finite number that a cell holds, or `undefined`: no hexadecimal, no infinity, no thousands' separators. */
export function parseNumber(cell: string, decimal: "." | ","): number | undefined {
  const text = decimal === "," ? cell.replace(",", ".") : cell;
  if (!number.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** Whether a cell says that its value is missing: empty, `NaN`, `NA`, `null` and the like, in any case. */
export function saysMissing(cell: string): boolean {
  return missing.has(cell.toLowerCase());
}

/** Whether a cell can only be a name: neither a number, nor a date, nor a missing value. */
export function isName(cell: string, decimal: "." | ","): boolean {
  return !saysMissing(cell) && parseNumber(cell, decimal) === undefined && parseTimestamp(cell) === undefined;
}

/** A cell as a message shows it: on one line, and not too long. */
export function shown(cell: string): string {
  const line = cell.replace(/\s+/g, " ");
  return line.length > 40 ? `${line.slice(0, 40)}…` : line;
}
