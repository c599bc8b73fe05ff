import { stripVTControlCharacters } from "node:util";
import { cutMiddle, wrapText } from "@espalier/report/text";
import { getBorderCharacters, table } from "table";
import type { Colors } from "../context.ts";

/** Columns of a line. */
const lineWidth = 80;
/** The least width of a text that gives way. */
const leastText = 12;

export interface TableOptions {
  /** Alignment by column; by default right, except for the first. */
  readonly align?: readonly ("left" | "right")[];
  /** Prefix of each line. */
  readonly indent?: string;
  /** Whether names in the first column that are too long are shortened in the middle (the default), or wrapped. */
  readonly names?: "shorten" | "wrap";
}

/**
 * Formats cells in aligned columns without borders, as lines. Cells may contain colours. Where lines would be too long, texts
 * give way: names in the first column are shortened in the middle or wrapped, other columns wrapped.
 */
export function tableLines(rows: readonly (readonly string[])[], options: TableOptions = {}): string[] {
  if (rows.length === 0) return [];
  const { indent = "", names = "shorten" } = options;
  const align = rows[0]!.map((_, i) => options.align?.[i] ?? (i === 0 ? "left" : "right"));
  const widths = fittedWidths(rows, align, lineWidth - indent.length);
  const text = table(
    rows
      .map((row) => row.map(onOneLine))
      .map(([name = "", ...cells]) => [
        names === "shorten" && length(name) > widths[0]! ? cutMiddle(name, widths[0]!) : name,
        ...cells,
      ]),
    {
      border: getBorderCharacters("void"),
      columnDefault: { paddingLeft: 0, paddingRight: 2 },
      columns: align.map((alignment, i) => ({ alignment, width: widths[i]!, wrapWord: true })),
      drawHorizontalLine: () => false,
    },
  );
  return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [indent + line.trimEnd()]));
}

/** Widths of columns; the widest texts give way until lines have `room`, or nothing more can be taken from them. */
function fittedWidths(
  rows: readonly (readonly string[])[],
  align: readonly ("left" | "right")[],
  room: number,
): number[] {
  const widths = align.map((_, i) => Math.max(1, ...rows.map((row) => length(row[i] ?? ""))));
  let over = widths.reduce((sum, width) => sum + width + 2, -2) - room;
  for (; over > 0; over--) {
    const texts = widths.map((width, i) => (align[i] === "left" ? width : 0));
    const widest = Math.max(...texts);
    if (widest <= leastText) break;
    widths[texts.indexOf(widest)]!--;
  }
  return widths;
}

/** Names in files may hold tabs and line ends, which no cell may. */
function onOneLine(text: string): string {
  // Colours begin with an escape.
  return text.replaceAll(/\p{Cc}/gu, (mark) => (mark === "\u001b" ? mark : " "));
}

/** Columns that a text takes up, colours aside. */
function length(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** A sentence in lines that fit into a terminal. */
export function textLines(text: string): string[] {
  return wrapText(text, lineWidth, text.startsWith("  ") ? "     " : "  ");
}

/** A heading in lines: a name in bold, then the rest. */
export function headingLines(name: string, rest: string, colors: Colors): string[] {
  const [first, ...more] = textLines(`${name}${rest}`);
  return [first!.startsWith(name) ? `${colors.bold(name)}${first!.slice(name.length)}` : first!, ...more];
}

/** Shortens a dotted name to a width, at a dot if possible. It keeps the end, because that is where names differ. */
export function shortName(name: string, width: number): string {
  if (name.length <= width) return name;
  const end = name.slice(name.length - (width - 1));
  const dot = end.indexOf(".");
  return `…${dot >= 0 && dot < width / 2 ? end.slice(dot) : end}`;
}

/** Shortens a text to a width; it keeps the beginning. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Draws a share as a bar of `width` cells. */
export function shareBar(share: number, width: number): { readonly full: string; readonly rest: string } {
  const cells = Math.max(0, Math.min(width, Math.round(share * width)));
  return { full: "━".repeat(cells), rest: "─".repeat(width - cells) };
}
