import type { NumberMarks } from "./cells.ts";

const groupMarks = " \u00A0\u202F\u2009'’_";
const number = new RegExp(`^[+\u2212-]?([\\d.,${groupMarks}]*\\d)(?:[eE][+-]?\\d+)?$`);
const grouped = (mark: string) => new RegExp(`^\\d{1,3}(?:\\${mark}\\d{3})+$`);

/** Decimal and thousands marks, as seen in the cells. */
interface Evidence {
  /** Marks that can only part decimals, only thousands, or either, with the first cell that shows it. */
  readonly decimal: Map<string, string>;
  readonly thousands: Map<string, string>;
  readonly either: Map<string, string>;
  /** By column, what its cells without decimals look like: short whole numbers, long ones, and those of `either`. */
  readonly columns: Map<number, { short?: boolean; long?: boolean; either?: "." | "," }>;
}

/** The marks of a file's numbers, or a cell and its mark, which may part decimals or thousands: nothing decides. */
export type MarksFound = NumberMarks | { readonly open: string; readonly mark: "." | "," };

/**
 * Finds out from numbers' texts which mark parts decimals and which thousands: `1.234,56` and `1,234.56` say so,
 * `12,5` and `1,234,567` do too; `1,234` does not, unless another cell, the delimiter or an earlier file does. Between
 * semicolons a comma parts decimals, and a point may part thousands; so it may in a column with `1.234` and `999`.
 *
 * @param cells row after row, `width` in each.
 */
export function findMarks(
  cells: readonly string[],
  width: number,
  delimiter: string,
  given: { readonly decimal?: "." | "," | undefined; readonly thousands?: string | undefined },
  like: NumberMarks | undefined,
): MarksFound {
  const e: Evidence = { decimal: new Map(), thousands: new Map(), either: new Map(), columns: new Map() };
  for (const [i, cell] of cells.entries()) note(cell, i % width, e);
  const mixed = (mark: "." | ",") =>
    [...e.columns.values()].some((one) => one.either === mark && one.short && !one.long);
  const other = [...groupMarks].find((mark) => e.thousands.has(mark));
  const behind = (decimal: "." | ",") => {
    const mark = decimal === "." ? "," : ".";
    const seen = e.thousands.has(mark) || (e.either.has(mark) && !e.decimal.has(mark));
    return given.thousands ?? other ?? (seen ? mark : undefined);
  };
  const marks = (decimal: "." | ","): NumberMarks => {
    const thousands = behind(decimal);
    return { decimal, ...(thousands !== undefined && thousands !== decimal && { thousands }) };
  };
  if (given.decimal !== undefined) return marks(given.decimal);
  if (given.thousands === "," || given.thousands === ".") return marks(given.thousands === "," ? "." : ",");
  const comma = e.decimal.has(",") || (e.thousands.has(".") && !e.decimal.has("."));
  if (comma && !e.decimal.has(".") && !e.thousands.has(",")) return marks(",");
  if (e.decimal.has(".") || e.thousands.has(",")) return marks(".");
  const semicolons = delimiter === ";";
  const point = e.either.has(".") && (semicolons || mixed("."));
  const mark = e.either.has(",") ? "," : point ? "." : undefined;
  if (mark === undefined) return marks(".");
  if (like !== undefined && (like.decimal === mark || like.thousands === mark)) return like;
  if ((given.thousands ?? other) !== undefined || (mark === "," && semicolons && !mixed(",")))
    return marks(mark);
  return { open: e.either.get(mark)!, mark };
}

function note(cell: string, column: number, e: Evidence): void {
  const text = number.exec(cell)?.[1];
  if (text === undefined) return;
  const group = [...groupMarks].find((mark) => text.includes(mark));
  const [whole, last] = split(text);
  if (group !== undefined) {
    if (grouped(group).test(whole)) first(e.thousands, group, cell);
    if (grouped(group).test(whole) && last !== undefined) first(e.decimal, last, cell);
    return;
  }
  if (text.includes(".") && text.includes(",")) {
    const other = last === "." ? "," : ".";
    if (!grouped(other).test(whole)) return;
    first(e.thousands, other, cell);
    first(e.decimal, last!, cell);
    return;
  }
  if (last === undefined) {
    about(column, e)[text.length < 4 ? "short" : "long"] = true;
    return;
  }
  const parts = text.split(last);
  if (parts.length > 2) {
    if (grouped(last).test(text)) first(e.thousands, last, cell);
  } else if (grouped(last).test(text) && !text.startsWith("0")) {
    first(e.either, last, cell);
    about(column, e).either = last;
  } else first(e.decimal, last, cell);
}

function about(column: number, { columns }: Evidence) {
  const known = columns.get(column) ?? {};
  columns.set(column, known);
  return known;
}

/** Keeps the first cell that shows something of a mark. */
function first(of: Map<string, string>, mark: string, cell: string): void {
  if (!of.has(mark)) of.set(mark, cell);
}

/** The text before the last point or comma, and which of the two it is. */
function split(text: string): [whole: string, last: "." | "," | undefined] {
  const at = Math.max(text.lastIndexOf("."), text.lastIndexOf(","));
  return at < 0 ? [text, undefined] : [text.slice(0, at), text[at] as "." | ","];
}
