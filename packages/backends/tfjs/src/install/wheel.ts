import { createHash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";
import { BlobReader, type Entry, type FileEntry, TextWriter, ZipReader } from "@zip.js/zip.js";

/** Target folders of the parts of a wheel. */
export interface WheelTargets {
  readonly libraries: string;
  readonly headers: string;
}

export interface WheelParts {
  /** Names of the libraries that were taken. */
  readonly libraries: readonly string[];
}

export interface TakeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

const libraries = ["libtensorflow_framework.so.2", "libtensorflow_cc.so.2"] as const;
const headers =
  /^tensorflow\/include\/((?:tensorflow\/c\/|tensorflow\/core\/platform\/ctstring|tsl\/platform\/ctstring|xla\/tsl\/c\/).*\.h)$/;
/** Limits in bytes that no wheel of TensorFlow exceeds: version 2.21 takes 0.86 GB, and its list of files 1.7 MB. */
const [maxBytes, maxListed] = [3e9, 32e6];

/** One file to extract, with its entry in the wheel's list. */
interface Part {
  readonly entry: FileEntry;
  readonly to: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Extracts libtensorflow and the headers of its C interface from a `tensorflow-cpu` wheel, and nothing else. Compares
 * each file with the checksum in the wheel's list (`RECORD`). Throws an EspalierError if the file is not such a wheel,
 * is damaged, or names a path outside the targets.
 */
export async function takeFromWheel(
  file: string,
  targets: WheelTargets,
  { signal, onProgress }: TakeOptions = {},
): Promise<WheelParts> {
  const where = `wheel ${basename(file)}`;
  const zip = new ZipReader(new BlobReader(await openAsBlob(file)), { useWebWorkers: false });
  try {
    // It refuses names that lead out of their folder, too.
    const entries = await zip.getEntries().catch((error: Error) => {
      throw new EspalierError(`${where}: cannot be read as a wheel (${error.message}).`);
    });
    const listed = await readList(entries, where);
    const parts = choose(entries, listed, targets, where);
    const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total > maxBytes)
      throw new EspalierError(`${where}: it claims ${total} bytes of libraries, which is not TensorFlow.`);
    let before = 0;
    for (const part of parts) {
      await take(part, where, (bytes) => onProgress?.(before + bytes, total), signal);
      before += part.bytes;
    }
    return { libraries };
  } finally {
    await zip.close();
  }
}

type Listed = ReadonlyMap<string, { readonly sha256: string; readonly bytes: number }>;

/** The wheel's list of its files (PEP 376). */
async function readList(entries: readonly Entry[], where: string): Promise<Listed> {
  const list = entries.find(({ filename }) =>
    /^tensorflow(_cpu)?-[\w.+]+\.dist-info\/RECORD$/.test(filename),
  );
  if (list === undefined || list.directory)
    throw new EspalierError(
      `${where}: not a wheel of tensorflow-cpu. To get one: pip download tensorflow-cpu`,
    );
  if (list.uncompressedSize > maxListed) throw new EspalierError(`${where}: its list of files is too long.`);
  const text = await list.getData(new TextWriter(), { checkSignature: true }).catch(() => {
    throw new EspalierError(`${where}: its list of files is damaged. Download it again.`);
  });
  const lines = text.split("\n").flatMap((line) => {
    const match = /^([^",]+),sha256=([\w-]+),(\d+)$/.exec(line.trim());
    return match === null ? [] : [[match[1]!, { sha256: match[2]!, bytes: Number(match[3]) }] as const];
  });
  return new Map(lines);
}

function choose(entries: readonly Entry[], listed: Listed, targets: WheelTargets, where: string): Part[] {
  const parts = entries.flatMap((entry): Part[] => {
    if (entry.directory) return [];
    const { filename } = entry;
    const library = libraries.find((name) => filename === `tensorflow/${name}`);
    const header = headers.exec(filename)?.[1];
    if (library === undefined && header === undefined) return [];
    if (!/^[\w.+-]+(\/[\w.+-]+)*$/.test(filename) || filename.split("/").includes(".."))
      throw new EspalierError(
        `${where}: ${JSON.stringify(filename)} is outside its folder, so it is not extracted.`,
      );
    const known = listed.get(filename);
    if (known === undefined || known.bytes !== entry.uncompressedSize)
      throw new EspalierError(
        `${where}: ${filename} differs from its entry in the list of files. Download it again.`,
      );
    const to = library === undefined ? join(targets.headers, header!) : join(targets.libraries, library);
    return [{ entry, to, ...known }];
  });
  for (const name of libraries) {
    if (!parts.some(({ to }) => to === join(targets.libraries, name)))
      throw new EspalierError(
        `${where}: it has no ${name}. Give a wheel of tensorflow-cpu 2.16 or newer for Linux.`,
      );
  }
  return parts;
}

async function take(
  { entry, to, bytes, sha256 }: Part,
  where: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const hash = createHash("sha256");
  const file: FileHandle = await open(to, "wx");
  let written = 0;
  const sink = new WritableStream<Uint8Array>({
    async write(piece) {
      written += piece.length;
      if (written > bytes) throw new EspalierError(`${where}: ${entry.filename} is longer than it claims.`);
      hash.update(piece);
      await file.writeFile(piece);
      onBytes(written);
    },
  });
  try {
    await entry.getData(sink, { checkSignature: true, ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof EspalierError || "syscall" in (error as object)) throw error;
    throw new EspalierError(`${where}: ${entry.filename} is damaged. Download it again.`);
  } finally {
    await file.close();
  }
  if (written !== bytes || hash.digest("base64url") !== sha256)
    throw new EspalierError(`${where}: ${entry.filename} has another checksum than in its list of files.`);
}
