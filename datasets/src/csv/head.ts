import { parse } from "#csv-parse";
import { isName, saysMissing } from "./cells.ts";
import { cellOptions } from "./quotes.ts";

/** Rows that are looked at before the table is read. */
const lookedAt = 1000;
/** Possible delimiters: the comma last, because it also occurs within numbers. */
const candidates = [";", "\t", "|", ","] as const;

/** Facts about a text, found in its first rows. */
export interface Head {
  readonly delimiter: string;
  /** The text without the lines before its table. */
  readonly text: string;
  /** Lines that were cut off: rows are counted as a spreadsheet counts them. */
  readonly skipped: number;
  /** The first rows of the table, cells trimmed, blank rows left out. */
  readonly rows: readonly (readonly string[])[];
  /** Notes for the user about what was left out. */
  readonly note?: string | undefined;
}

/**
 * Looks at the first rows of a text: finds what separates its cells, and where its table begins, past comments (`#`),
 * Excel's `sep=;`, and lines with other numbers of cells than the rows below, such as titles.
 */
export function headOf(whole: string, given: string | undefined, like: string | undefined): Head {
  const { text, lines, comment, sep } = withoutComments(withoutMarks(whole));
  const delimiter = given ?? sep ?? findDelimiter(text, like);
  const all = sample(text, delimiter, lookedAt);
  const width = usualWidth(all);
  const first = all.findIndex((row) => row.length > 1 || row[0] !== "");
  const begin = Math.max(first, tableStart(all, width, first));
  const cut = begin > first ? linesBefore(text, all, begin) : { text, lines: 0 };
  const rows = all.slice(Math.max(0, begin)).filter((row) => row.length > 1 || row[0] !== "");
  const names = comment === undefined ? [] : (sample(comment.replace(/^#+\s*/, ""), delimiter, 1)[0] ?? []);
  // "# date,a,b" above rows of numbers is the header.
  if (begin <= first && names.length > 1 && names.length === width && !rows[0]?.some(isName)) {
    return {
      delimiter,
      text: `${comment!.replace(/^#+\s*/, "")}\n${text}`,
      skipped: lines - 1,
      rows: [names, ...rows],
    };
  }
  const skipped = lines + cut.lines;
  const note =
    skipped > (sep === undefined ? 0 : 1)
      ? `${skipped === 1 ? "the line" : `${skipped} lines`} before the table left out`
      : undefined;
  return { delimiter, text: cut.text, skipped, rows, note };
}

/** Byte order marks begin files, and lines where files were put one after the other. */
function withoutMarks(text: string): string {
  return text.includes("\uFEFF") ? text.replace(/(^|[\r\n])\uFEFF+/g, "$1") : text;
}

function withoutComments(text: string): { text: string; lines: number; comment?: string; sep?: string } {
  const sep = /^sep=(.)\r?\n/i.exec(text);
  if (sep !== null) return { text: text.slice(sep[0].length), lines: 1, sep: sep[1]! };
  let at = 0;
  let lines = 0;
  let comment: string | undefined;
  for (;;) {
    const line = /^#[^\r\n]*(\r\n|\n|\r)/.exec(text.slice(at, at + 65_536));
    if (line === null) break;
    comment = line[0].trimEnd();
    at += line[0].length;
    lines++;
  }
  return { text: text.slice(at), lines, ...(comment === undefined ? {} : { comment }) };
}

/** Rows of the beginning of a text, as well as they can be read: their faults are told by the reader of all rows. */
function sample(text: string, delimiter: string, most: number): string[][] {
  const piece = text.slice(0, 2 ** 20);
  const rows: string[][] = [];
  try {
    parse(piece, {
      ...cellOptions(piece, delimiter),
      relax_quotes: true,
      to: most,
      on_record: (cells: string[]) => {
        rows.push(cells.map((cell) => cell.trim()));
        return null;
      },
    });
  } catch {
    // A quote that is never closed, or one that the piece ends within.
  }
  // The last row of a piece may be cut short.
  const cut = piece.length < text.length && rows.length < most && rows.length > 1;
  return cut ? rows.slice(0, -1) : rows;
}

function findDelimiter(text: string, like: string | undefined): string {
  const found = [...new Set([...(like === undefined ? [] : [like]), ...candidates])].map((delimiter) => {
    const rows = sample(text, delimiter, 60).filter((row) => row.length > 1 || row[0] !== "");
    const width = usualWidth(rows);
    const alike = rows.filter((row) => row.length === width).length / Math.max(1, rows.length);
    return { delimiter, width, alike };
  });
  const several = found.filter(({ width }) => width > 1);
  const best = several.find(({ alike }) => alike === 1) ?? several.find(({ alike }) => alike >= 0.8);
  return best?.delimiter ?? several[0]?.delimiter ?? ",";
}

/** The number of cells that most rows have; of those that as many have, the first row's. */
function usualWidth(rows: readonly (readonly string[])[]): number {
  const counts = new Map<number, number>();
  for (const row of rows) {
    if (row.length === 1 && row[0] === "") continue;
    counts.set(row.length, (counts.get(row.length) ?? 0) + 1);
  }
  return [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [0, 0])[0];
}

/** The row where a table begins: where rows have as many cells as most, past titles with a single one that is not empty. */
function tableStart(rows: readonly (readonly string[])[], width: number, first: number): number {
  if (width < 2 || first < 0) return first;
  const filled = (row: readonly string[]) => row.filter((cell) => !saysMissing(cell)).length;
  const header = rows.findIndex((row) => row.length === width && (width < 3 || filled(row) > 1));
  if (header <= first || rows.slice(first, header).some((row) => row.length > 2 && filled(row) > 2))
    return first;
  // A header that lacks the name of its first column, or has one less for a mark at the ends of rows, is a header.
  return rows[header - 1]!.length === width - 1 && rows[header - 1]!.every(isName) ? first : header;
}

/** The text from a row on. */
function linesBefore(
  text: string,
  rows: readonly (readonly string[])[],
  begin: number,
): { text: string; lines: number } {
  let at = 0;
  // Titles are on one line each: quoted line ends among them are counted as well.
  for (let row = 0; row < begin; row++) {
    const breaks = rows[row]!.join("").match(/\r\n|\n|\r/g)?.length ?? 0;
    for (let line = 0; line <= breaks; line++) {
      const end = /\r\n|\n|\r/g;
      end.lastIndex = at;
      if (end.exec(text) !== null) at = end.lastIndex;
    }
  }
  return { text: text.slice(at), lines: begin };
}
