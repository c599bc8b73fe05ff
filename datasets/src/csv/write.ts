import type { Table } from "../table.ts";
import { formatTimestamp } from "../timestamps.ts";

/**
 * A table as CSV text that `parseCsv` reads back: a header, a column `date` where there are dates, numbers with the 7
 * significant digits of a float32.
 */
export function formatCsv({ columns, rows, values, timestamps }: Table): string {
  const dated = timestamps !== undefined;
  const wholeDays = dated && timestamps.every((time) => time % 86_400_000 === 0);
  const lines = [[...(dated ? ["date"] : []), ...columns].map(quoted)];
  for (let row = 0; row < rows; row++) {
    const numbers = values.subarray(row * columns.length, (row + 1) * columns.length);
    const date = dated ? [formatTimestamp(timestamps[row]!, wholeDays)] : [];
    lines.push([...date, ...Array.from(numbers, (value) => `${Number(value.toPrecision(7))}`)]);
  }
  return lines.map((cells) => `${cells.join(",")}\n`).join("");
}

/** Quotes as in RFC 4180 where a cell needs them. */
function quoted(cell: string): string {
  return /[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
