import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { EspalierError } from "@espalier/core";
import type { CsvOptions } from "../csv/options.ts";
import { parseCsv, type TableAndReport } from "../csv/parse.ts";
import { sha256 } from "./sha256.ts";

/** The largest file that is read: 1 GiB. The largest of the catalogue (traffic) has 136 MB. */
export const largestFile: number = 2 ** 30;

/** A table read from a file. */
export interface CsvFile extends TableAndReport {
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly checksum: string;
}

/** Endings of files with tables: those that are read, and those of which a message says how a CSV file is made. */
const dataFile =
  /\.(csv|tsv|tab|txt|dat|data|psv)(\.gz)?$|\.(gz|bz2|xz|zst|zip|parquet|pq|feather|arrow|xlsx?|xlsm|ods|jsonl?|ndjson|h5|hdf5?|db|sqlite3?)$/i;

/** Whether a name is that of a file with data, and not one of the catalogue. */
export function isDataFile(name: string): boolean {
  return dataFile.test(name);
}

const unzip = promisify(gunzip);

/**
 * Reads a CSV file, {@link parseCsv} of its bytes; packed by gzip or not.
 *
 * @throws EspalierError as `parseCsv` does; for a file that is not there or too large.
 */
export async function readCsv(
  path: string,
  options: CsvOptions = {},
  signal?: AbortSignal,
): Promise<CsvFile> {
  const name = basename(path);
  const bytes = await readBytes(name, path, signal);
  return { ...parseCsv(name, await unpacked(name, bytes), options), checksum: sha256(bytes) };
}

async function unpacked(name: string, bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await unzip(bytes, { maxOutputLength: largestFile });
  } catch (error) {
    const what =
      (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE"
        ? `unpacks to more than the limit of ${largestFile} bytes`
        : "is packed by gzip and damaged";
    throw new EspalierError(`data ${name}: ${what}.`, { cause: error });
  }
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
