import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { EspalierError } from "@espalier/core";
import type { CsvOptions } from "../csv/options.ts";
import { parseCsv } from "../csv/parse.ts";
import type { TableAndReport } from "../csv/reader.ts";
import { sha256 } from "./sha256.ts";

/** The largest file that is read: 1 GiB. The largest of the catalogue (traffic) has 136 MB. */
export const largestFile: number = 2 ** 30;

/** A table read from a file. */
export interface CsvFile extends TableAndReport {
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly checksum: string;
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
