import { getBorderCharacters, table } from "table";

export interface TableOptions {
  /** Alignment by column; by default right, except for the first. */
  readonly align?: readonly ("left" | "right")[];
  /** Prefix of each line. */
  readonly indent?: string;
}

/** Formats cells in aligned columns without borders, as lines. Cells may contain colours. */
export function tableLines(rows: readonly (readonly string[])[], options: TableOptions = {}): string[] {
  if (rows.length === 0) return [];
  const { align = [], indent = "" } = options;
  const text = table(
    rows.map((row) => [...row]),
    {
      border: getBorderCharacters("void"),
      columnDefault: { paddingLeft: 0, paddingRight: 2 },
      columns: rows[0]!.map((_, i) => ({ alignment: align[i] ?? (i === 0 ? "left" : "right") })),
      drawHorizontalLine: () => false,
    },
  );
  return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [indent + line.trimEnd()]));
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
