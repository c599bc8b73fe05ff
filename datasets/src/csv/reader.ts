import { EspalierError } from "@espalier/core";
import type { RawRows } from "../missing.ts";
import { type NumberMarks, parseNumber, saysMissing, shown } from "./cells.ts";
import type { Layout } from "./layout.ts";
import type { CsvSettings } from "./options.ts";

/** Models calculate with 32-bit numbers. */
const largest = 3.4e38;

/** Rows as they stand in a file: numbers read, dates still texts. */
export interface FileRows extends RawRows {
  /** For each cell that makes up a date, `[rows]` texts. */
  readonly dates: readonly (readonly string[])[];
  /** `[rows]`, which series a row is of; absent if a row holds all. */
  readonly ids?: readonly string[] | undefined;
  /** `[rows]`, where each row stands in the file. */
  readonly lines: readonly number[];
  /** Rows of empty cells that were left out, as they stand in the file. */
  readonly empty: readonly number[];
  /** Texts, in lower case, that stood for a missing value by a rule. */
  readonly stood: ReadonlySet<string>;
}

/**
 * Collects rows of text cells into numbers, row by row: memory grows with what really arrives. Rows are counted as a
 * spreadsheet counts them, the header and empty lines included, from 1.
 */
export class RowReader {
  readonly #name: string;
  readonly #settings: CsvSettings;
  readonly #layout: Layout;
  readonly #marks: NumberMarks;
  readonly #pivot: string | undefined;
  readonly #na: readonly ReadonlyMap<string | number, string>[];
  readonly #stood = new Set<string>();
  #line: number;
  #headerSeen: boolean;
  #rows = 0;
  #values: Float64Array = new Float64Array(0);
  readonly #dates: string[][];
  readonly #ids: string[] = [];
  readonly #lines: number[] = [];
  readonly #empty: number[] = [];
  /** Rows of empty cells: missing values, unless nothing follows them. */
  #blank: number[] = [];

  /**
   * @param skipped lines of the file before the first row.
   * @param pivot the column to name to a user whose rows seem to hold one series each.
   */
  constructor(
    name: string,
    settings: CsvSettings,
    layout: Layout,
    marks: NumberMarks,
    { skipped, pivot }: { readonly skipped: number; readonly pivot: string | undefined },
  ) {
    this.#name = name;
    this.#settings = settings;
    this.#layout = layout;
    this.#marks = marks;
    this.#pivot = pivot;
    this.#line = skipped;
    this.#headerSeen = !layout.header;
    this.#dates = layout.dates.map(() => []);
    this.#na = layout.series.map((index) => this.#naOf(layout.names[index]!));
  }

  /** The last row that was taken, as a spreadsheet counts. */
  get line(): number {
    return this.#line;
  }

  /** Takes the next row. Throws an EspalierError that names row and column. */
  push(untrimmed: readonly string[]): void {
    const line = ++this.#line;
    const cells = untrimmed.map((cell) => cell.trim());
    const { width, dates } = this.#layout;
    const blank = cells.every((cell) => cell === "");
    if (blank && cells.length === 1 && width > 1) return;
    if (!this.#headerSeen) {
      if (!blank) this.#headerSeen = true;
    } else if (!blank) {
      for (const empty of this.#blank) this.#take(Array<string>(width).fill(""), empty);
      this.#blank = [];
      this.#take(cells, line);
    } else if (dates.length > 0) this.#empty.push(line);
    // Before the first row nothing is missing.
    else if (width > 1 || this.#layout.header || this.#rows > 0) this.#blank.push(line);
  }

  /** The collected rows. Throws an EspalierError if there are none. */
  finish(): FileRows {
    if (this.#rows === 0) throw this.#error("no rows of data.");
    const { series, names, id, width } = this.#layout;
    return {
      name: this.#name,
      columns: series.map((index) => names[index]!),
      rows: this.#rows,
      values: this.#values.slice(0, this.#rows * series.length),
      dates: this.#dates,
      ids: id < 0 ? undefined : this.#ids,
      lines: this.#lines,
      empty: width > 1 ? [...this.#empty, ...this.#blank] : [],
      stood: this.#stood,
    };
  }

  #take(cells: readonly string[], line: number): void {
    const { dates, series, width, names, id, empty } = this.#layout;
    if (cells.length !== width) {
      if (cells.length === 1) {
        throw this.#error(
          `"${shown(cells[0]!)}" is alone in a row of ${width} cells. Delete the row if it holds a remark.`,
          line,
        );
      }
      const hint = this.#layout.header ? "the header has" : "the first row has";
      throw this.#error(`${cells.length} cells, ${hint} ${width}.`, line);
    }
    this.#reserve(series.length, line);
    let to = this.#rows * series.length;
    for (const [i, index] of series.entries()) this.#values[to++] = this.#value(cells, index, i, line);
    for (const [i, index] of dates.entries()) this.#dates[i]!.push(cells[index]!);
    for (const index of empty) {
      if (cells[index] !== "")
        throw this.#error(`"${shown(cells[index]!)}" stands in a column without a name.`, line);
    }
    if (id >= 0) this.#ids.push(this.#id(cells[id]!, line, names[id]!));
    this.#lines.push(line);
    this.#rows++;
  }

  #reserve(width: number, line: number): void {
    const needed = (this.#rows + 1) * width;
    if (needed <= this.#values.length) return;
    const { cells } = this.#settings.limits;
    if (needed > cells) throw this.#error(`more than ${cells} values, which is the limit.`, line);
    const larger = new Float64Array(
      Math.min(Math.max(2 * this.#values.length, 64 * width), Math.max(cells, needed)),
    );
    larger.set(this.#values);
    this.#values = larger;
  }

  #value(cells: readonly string[], index: number, series: number, line: number): number {
    const cell = cells[index]!;
    const column = this.#layout.names[index]!;
    const value = parseNumber(cell, this.#marks);
    const na = this.#na[series]!;
    const stands = na.size > 0 && this.#stands(na, cell.toLowerCase(), value);
    if (!stands && value !== undefined) {
      if (Math.abs(value) <= largest) return value;
      throw this.#error(
        `${cell} is beyond the 32-bit numbers that models calculate with (${largest}). Give the column in larger units, or leave it out (--series).`,
        line,
        column,
      );
    }
    if (!stands && !saysMissing(cell)) throw this.#notANumber(cells, cell, line, column);
    if (this.#settings.missing !== "error" || this.#layout.id >= 0) return Number.NaN;
    const what = stands
      ? `${cell} stands for a missing value`
      : cell === ""
        ? "is empty"
        : `"${cell}" is not a number`;
    throw this.#error(`${what}. Give --missing forward-fill, or --missing drop.`, line, column);
  }

  #stands(na: ReadonlyMap<string | number, string>, text: string, value: number | undefined): boolean {
    const rule = na.get(text) ?? (value === undefined ? undefined : na.get(value));
    if (rule === undefined) return false;
    this.#stood.add(rule);
    return true;
  }

  #notANumber(cells: readonly string[], cell: string, line: number, column: string): EspalierError {
    const { series, names, header, width } = this.#layout;
    const what = `"${shown(cell)}" is not a number`;
    if (this.#rows > 0 && cell === column) {
      return this.#error(
        `"${shown(cell)}" is the name of the column. Were files put one after the other? Delete the row.`,
        line,
      );
    }
    if (this.#pivot !== undefined) {
      return this.#error(
        `${what}. Does each row hold one series, named by "${this.#pivot}"? Then give --pivot "${this.#pivot}".`,
        line,
        column,
      );
    }
    const separator = [";", "\t", "|", ",", "^", "~", "¦"].find((mark) => cell.includes(mark));
    if (width === 1 && separator !== undefined) {
      const mark = separator === "\t" ? "a tab" : `"${separator}"`;
      return this.#error(`${what}. Does ${mark} separate the cells? Give it by --delimiter.`, line, column);
    }
    if (width === 1 && /\S \S/.test(cell) && /\S \S/.test(column)) {
      return this.#error(`${what}. Do blanks separate the cells? Give --delimiter " ".`, line, column);
    }
    if (width === 1 && /\S {2,}\S/.test(cell)) {
      return this.#error(
        `${what}. Do blanks separate the cells? Make a CSV file of it: pandas.read_fwf reads columns of fixed width.`,
        line,
        column,
      );
    }
    if (/^'.*'$/.test(cell)) {
      return this.#error(
        `${what}: only double quotes (") hold a cell together. Replace the others.`,
        line,
        column,
      );
    }
    const numbers = series.filter((index) => parseNumber(cells[index]!, this.#marks) !== undefined);
    // A row of units stands below the names, and none of its cells is a number.
    const unit = header && this.#rows === 0 && numbers.length === 0 && !/^[+-]?\d/.test(cell);
    if (unit && series.length > 1) {
      return this.#error(`${what}, nor is any cell of the row. Does it hold units? Delete it.`, line, column);
    }
    if (/[%$€£¥]/.test(cell)) {
      const sign = /[%$€£¥]/.exec(cell)![0];
      return this.#error(
        `${what}. Take the ${sign} out of the column, or leave it out (--series).`,
        line,
        column,
      );
    }
    if (/^[+-]?\d[\d.,\s'’]*$/.test(cell)) {
      return this.#error(
        `${what} with ${this.#marks.decimal === "," ? "a decimal comma" : "a decimal point"}. Give --decimal and --thousands.`,
        line,
        column,
      );
    }
    const others = numbers.slice(0, 3).map((index) => names[index]!);
    const example = others.length > 0 ? `--series ${others.join(",")}` : "--series";
    // A word among numbers.
    const na =
      this.#rows > 0 && !/\d/.test(cell)
        ? ` If it stands for a missing value, give --na "${shown(cell)}".`
        : "";
    return this.#error(`${what}. Correct the cell, or take other columns: ${example}.${na}`, line, column);
  }

  #id(cell: string, line: number, column: string): string {
    if (cell === "") throw this.#error("is empty, so the row belongs to no series.", line, column);
    return cell;
  }

  /** Texts and numbers that stand for a missing value, and the text that said so. */
  #naOf(column: string): Map<string | number, string> {
    const { sentinels, na } = this.#settings;
    const values = na
      .filter((rule) => rule.column === undefined || rule.column === column)
      .flatMap((rule) => rule.values);
    const all = [...sentinels.map(String), ...values].map((text) => text.toLowerCase());
    const numbers = all.flatMap((text) => {
      const value = parseNumber(text, { decimal: "." }) ?? parseNumber(text, this.#marks);
      return value === undefined ? [] : [[value, text] as const];
    });
    return new Map<string | number, string>([...numbers, ...all.map((text) => [text, text] as const)]);
  }

  #error(what: string, line?: number, column?: string): EspalierError {
    return csvError(this.#name, what, line, column);
  }
}

/** An error of a file, with the place where it is. */
export function csvError(name: string, what: string, line?: number, column?: string): EspalierError {
  const place = [`data ${name}`];
  if (line !== undefined) place.push(`row ${line}`);
  if (column !== undefined) place.push(`column "${shown(column)}"`);
  return new EspalierError(`${place.join(", ")}: ${what}`);
}
