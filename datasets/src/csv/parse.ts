import { EspalierError } from "@espalier/core";
import { CsvError, parse } from "#csv-parse";
import { parseOptions } from "../options.ts";
import { type CsvOptions, csvOptions } from "./options.ts";
import { type TableAndReport, TableReader } from "./reader.ts";

/** The longest row, in bytes: a quote that is never closed stops here. */
const longestRow = 2 ** 22;

/**
 * Reads CSV text: UTF-8 with or without a byte order mark (or UTF-16 with one), LF, CRLF or CR, quotes as in RFC 4180,
 * a last line with or without an end. One row is one time step, one column a series, one column may hold dates.
 *
 * @param name what messages call the data.
 * @throws EspalierError naming row and column: text or a missing value among the numbers, a row that is too short or
 * too long, dates that run backwards, a bound that is passed, no data.
 */
export function parseCsv(name: string, text: string | Uint8Array, options: CsvOptions = {}): TableAndReport {
  const settings = parseOptions(`data ${name}`, csvOptions, options);
  if (typeof text !== "string" && looksBinary(text))
    throw new EspalierError(`data ${name}: is not a text file.`);
  const reader = new TableReader(name, settings);
  try {
    parse(typeof text === "string" ? text : decoded(text), {
      bom: true,
      delimiter: settings.delimiter,
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      max_record_size: longestRow,
      on_record: (cells: string[]) => {
        reader.push(cells);
        return null;
      },
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new EspalierError(`data ${name}: cannot be read as CSV: ${error.message}.`, { cause: error });
  }
  return reader.finish();
}

function decoded(bytes: Uint8Array): string {
  const encoding = startsWith(bytes, 0xff, 0xfe)
    ? "utf-16le"
    : startsWith(bytes, 0xfe, 0xff)
      ? "utf-16be"
      : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

function looksBinary(bytes: Uint8Array): boolean {
  const utf16 = startsWith(bytes, 0xff, 0xfe) || startsWith(bytes, 0xfe, 0xff);
  return !utf16 && bytes.subarray(0, 4096).includes(0);
}

function startsWith(bytes: Uint8Array, first: number, second: number): boolean {
  return bytes[0] === first && bytes[1] === second;
}
