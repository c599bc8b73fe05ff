import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { EspalierError } from "@espalier/core";
import { CsvError } from "csv-parse";
import { parse } from "csv-parse/sync";
import { type CsvOptions, csvOptions } from "../csv/options.ts";
import { type TableAndReport, TableReader } from "../csv/reader.ts";
import { parseOptions } from "../options.ts";
import { sha256 } from "./sha256.ts";

/** The largest file that is read: 1 GiB. The largest of the catalogue (traffic) has 136 MB. */
export const largestFile: number = 2 ** 30;
/** The longest row, in bytes: a quote that is never closed stops here. */
const longestRow = 2 ** 22;

/** A table read from a file. */
export interface CsvFile extends TableAndReport {
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly checksum: string;
}

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
    parse(typeof text === "string" ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength), {
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

/**
 * Reads a CSV file, {@link parseCsv} of its bytes.
 *
 * @throws EspalierError as `parseCsv` does; for a file that is not there, too large, or has another checksum.
 */
export async function readCsv(
  path: string,
  options: CsvOptions = {},
  signal?: AbortSignal,
): Promise<CsvFile> {
  const name = basename(path);
  const bytes = await readBytes(name, path, signal);
  return { ...parseCsv(name, bytes, options), checksum: sha256(bytes) };
}

/** The bytes of a file of reasonable size. */
export async function readBytes(name: string, path: string, signal?: AbortSignal): Promise<Uint8Array> {
  signal?.throwIfAborted();
  try {
    const { size } = await stat(path);
    if (size > largestFile) {
      throw new EspalierError(`data ${name}: ${size} bytes, more than the limit of ${largestFile}.`);
    }
    return await readFile(path, { signal });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT")
      throw new EspalierError(`data ${name}: there is no file ${path}.`, { cause: error });
    if (code === "EISDIR") throw new EspalierError(`data ${name}: ${path} is a folder.`, { cause: error });
    if (code === "EACCES")
      throw new EspalierError(`data ${name}: ${path} may not be read.`, { cause: error });
    throw error;
  }
}

function looksBinary(bytes: Uint8Array): boolean {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  return !utf16 && bytes.subarray(0, 4096).includes(0);
}
