import { EspalierError } from "@espalier/core";
import { handleMissing, type MissingReport, type RawRows } from "../missing.ts";
import { stepOf, type Table } from "../table.ts";
import { parseEpoch, parseTimestamp } from "../timestamps.ts";
import { parseNumber, saysMissing, shown } from "./cells.ts";
import { type Layout, layoutOf } from "./layout.ts";
import type { CsvSettings } from "./options.ts";

/** A table, and what was missing in its source. */
export interface TableAndReport {
  readonly table: Table;
  readonly missing: MissingReport;
}

/**
 * Collects rows of text cells into a table, row by row: memory grows with what really arrives. Rows are counted as a
 * spreadsheet counts them, the header and empty lines included, from 1.
 */
export class TableReader {
  readonly #name: string;
  readonly #settings: CsvSettings;
  readonly #sentinels: ReadonlySet<number>;
  #layout: Layout | undefined;
  #first: { row: number; cells: readonly string[] } | undefined;
  #row = 0;
  #rows = 0;
  #values: Float64Array = new Float64Array(0);
  #timestamps: number[] = [];
  /** Empty lines of a one-column file: missing values, unless nothing follows them. */
  #blank: number[] = [];

  constructor(name: string, settings: CsvSettings) {
    this.#name = name;
    this.#settings = settings;
    this.#sentinels = new Set(settings.sentinels);
  }

  /** Takes the next row. Throws an EspalierError that names row and column. */
  push(untrimmed: readonly string[]): void {
    const row = ++this.#row;
    const cells = untrimmed.map((cell) => cell.trim());
    const blank = cells.length === 1 && cells[0] === "";
    if (this.#first === undefined) {
      if (blank) return;
      if (cells.length > this.#settings.limits.columns) {
        throw this.#error(
          `${cells.length} columns, more than the limit of ${this.#settings.limits.columns}.`,
          row,
        );
      }
      this.#first = { row, cells };
    } else if (blank) {
      if (this.#first.cells.length === 1) this.#blank.push(row);
    } else {
      if (this.#layout === undefined) this.#begin(cells);
      for (const empty of this.#blank) this.#take([""], empty);
      this.#blank = [];
      this.#take(cells, row);
    }
  }

  /** The table of all rows. Throws an EspalierError where there is none, or where a rule on missing values fails. */
  finish(): TableAndReport {
    if (this.#first !== undefined && this.#layout === undefined) this.#begin([]);
    const layout = this.#layout;
    if (layout === undefined || this.#rows === 0) throw this.#error("no rows of data.");
    const raw: RawRows = {
      name: this.#name,
      columns: layout.series.map((index) => layout.names[index]!),
      rows: this.#rows,
      values: this.#values.slice(0, this.#rows * layout.series.length),
      timestamps: layout.date < 0 ? undefined : Float64Array.from(this.#timestamps),
    };
    const step = raw.timestamps && stepOf(raw.timestamps);
    if (step?.milliseconds === 0) {
      throw this.#error(
        "most dates repeat the one before. One row a time step, one column a series is needed.",
      );
    }
    const { rows, report } = handleMissing(raw, this.#settings.missing);
    return { table: { ...rows, step }, missing: report };
  }

  #begin(second: readonly string[]): void {
    const { row, cells } = this.#first!;
    this.#layout = layoutOf(this.#name, cells, second, this.#settings);
    if (!this.#layout.header) this.#take(cells, row);
  }

  #take(cells: readonly string[], row: number): void {
    const { date, series, width, names } = this.#layout!;
    if (cells.length !== width) {
      const hint = this.#layout!.header ? "the header has" : "the first row has";
      throw this.#error(`${cells.length} cells, ${hint} ${width}.`, row);
    }
    this.#reserve(series.length, row);
    let to = this.#rows * series.length;
    for (const index of series) this.#values[to++] = this.#value(cells[index]!, row, names[index]!);
    if (date >= 0) this.#timestamps.push(this.#date(cells[date]!, row, names[date]!));
    this.#rows++;
  }

  #reserve(width: number, row: number): void {
    const needed = (this.#rows + 1) * width;
    if (needed <= this.#values.length) return;
    const { cells } = this.#settings.limits;
    if (needed > cells) throw this.#error(`more than ${cells} values, which is the limit.`, row);
    const larger = new Float64Array(
      Math.min(Math.max(2 * this.#values.length, 64 * width), Math.max(cells, needed)),
    );
    larger.set(this.#values);
    this.#values = larger;
  }

  #value(cell: string, row: number, column: string): number {
    const value = parseNumber(cell, this.#settings.decimal);
    if (value !== undefined && !this.#sentinels.has(value)) return value;
    if (value === undefined && !saysMissing(cell)) {
      const separator = [";", "\t", "|", ","].find((mark) => cell.includes(mark));
      const advice =
        separator === undefined
          ? "Correct the cell, or read other columns (option series)."
          : `Does ${separator === "\t" ? "a tab" : `"${separator}"`} separate the cells? Give it as delimiter.`;
      throw this.#error(`"${shown(cell)}" is not a number. ${advice}`, row, column);
    }
    if (this.#settings.missing !== "error") return Number.NaN;
    const what =
      value !== undefined
        ? `${cell} stands for a missing value`
        : cell === ""
          ? "is empty"
          : `"${cell}" is not a number`;
    throw this.#error(`${what}. Give --missing forward-fill, or --missing drop.`, row, column);
  }

  #date(cell: string, row: number, column: string): number {
    const timestamp = parseTimestamp(cell) ?? parseEpoch(cell);
    if (timestamp === undefined) {
      throw this.#error(
        `"${shown(cell)}" is not a date (such as 2016-07-01 00:00:00, or seconds since 1970). Give dateColumn false if the column holds no dates.`,
        row,
        column,
      );
    }
    const before = this.#timestamps.at(-1);
    if (before !== undefined && timestamp < before) {
      throw this.#error(
        `${shown(cell)} is before the date of the row above. Sort the file by date.`,
        row,
        column,
      );
    }
    return timestamp;
  }

  #error(what: string, row?: number, column?: string): EspalierError {
    const place = [`data ${this.#name}`];
    if (row !== undefined) place.push(`row ${row}`);
    if (column !== undefined) place.push(`column "${shown(column)}"`);
    return new EspalierError(`${place.join(", ")}: ${what}`);
  }
}
