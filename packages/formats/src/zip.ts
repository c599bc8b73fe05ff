import { EspalierError } from "@espalier/core";
import { type Entry, Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from "@zip.js/zip.js";

/** Deflate cannot shrink anything by more than this factor. */
const maxDeflated = 1032;

/** The entries of a zip archive by their names. Throws an EspalierError, `fault`, for anything else. */
export async function listEntries(bytes: Uint8Array, fault: () => string): Promise<Map<string, Entry>> {
  try {
    const reader = new ZipReader(new Uint8ArrayReader(bytes), { useWebWorkers: false });
    return new Map((await reader.getEntries()).map((entry) => [entry.filename, entry]));
  } catch {
    throw new EspalierError(fault());
  }
}

/** The bytes of an entry. `fileBytes`: those of the archive, which none of its entries can be larger than, packed. */
export async function extract(entry: Entry, fileBytes: number, where: string): Promise<Uint8Array> {
  const { compressedSize, uncompressedSize } = entry;
  const sound = compressedSize <= fileBytes && uncompressedSize <= compressedSize * maxDeflated;
  if (entry.directory || entry.encrypted || !sound) throw new EspalierError(`${where} is damaged.`);
  try {
    const options = { checkSignature: true, useWebWorkers: false };
    // A copy of its own, so that numbers of any width are aligned.
    return new Uint8Array(await entry.getData(new Uint8ArrayWriter(), options));
  } catch {
    throw new EspalierError(`${where} is damaged (its checksum does not match, or it cannot be unpacked).`);
  }
}
