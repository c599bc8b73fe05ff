import { formatDate, plainStyle } from "../dates/style.ts";
import type { Table } from "../table.ts";
import type { CsvReading } from "./reading.ts";

/**
 * A table as CSV text that `parseCsv` reads back: a header, columns of dates where there are dates, as the table's source
 * has them, and every number in full.
 *
 * @param dialect what separates cells and decimals; commas and points by default.
 */
export function formatCsv(
  table: Table,
  { delimiter = ",", decimal = "." }: Partial<Pick<CsvReading, "delimiter" | "decimal">> = {},
): string {
  const { columns, rows, values, timestamps, offsets } = table;
  const style = timestamps && (table.dates ?? plainStyle(timestamps));
  const lines = [[...(style?.columns.map(({ name }) => name) ?? []), ...columns]];
  for (let row = 0; row < rows; row++) {
    const numbers = values.subarray(row * columns.length, (row + 1) * columns.length);
    const date = style === undefined ? [] : formatDate(style, timestamps![row]!, offsets?.[row]);
    lines.push([...date, ...Array.from(numbers, (value) => `${value}`.replace(".", decimal))]);
  }
  return lines.map((cells) => `${cells.map((cell) => quoted(cell, delimiter)).join(delimiter)}\n`).join("");
}

/** Quotes as in RFC 4180 where a cell needs them. */
function quoted(cell: string, delimiter: string): string {
  return cell.includes(delimiter) || /["\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
