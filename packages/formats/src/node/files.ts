import { randomUUID } from "node:crypto";
import { type FileHandle, link, open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";

/** Told now and then which share of a file has been read or written, from 0 to 1. */
export type OnProgress = (share: number) => void;

/** For files that may be large. */
export interface ProgressOptions {
  readonly onProgress?: OnProgress;
}

/** Bytes between two tellings of progress. */
const portion = 8 * 2 ** 20;

/** Reads a file; a missing one, or a folder, is an EspalierError in one line. */
export async function readBytes(
  path: string,
  what = "file",
  { onProgress }: ProgressOptions = {},
): Promise<Uint8Array> {
  try {
    return onProgress === undefined ? await readFile(path) : await readInPortions(path, onProgress);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new EspalierError(`${what} ${path}: there is no such file.`);
    if (code === "EISDIR") throw new EspalierError(`${what} ${path}: this is a folder, not a file.`);
    if (code === "EACCES" || code === "EPERM")
      throw new EspalierError(`${what} ${path}: it may not be read (no permission).`);
    throw error;
  }
}

async function readInPortions(path: string, onProgress: OnProgress): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const size = (await file.stat()).size;
    // Pipes and the like have no size.
    if (size <= portion) return await file.readFile();
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(portion, size - at), at);
      if (bytesRead === 0) return bytes.subarray(0, at);
      at += bytesRead;
      onProgress(at / size);
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** Throws an EspalierError where a file exists and may not be replaced; asked before long work starts. */
export async function checkReplaceable(path: string, force = false): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new EspalierError(`${path} is a folder. Give the name of a file.`);
  if (found !== undefined && !force)
    throw new EspalierError(`${path} exists. Give --force to replace it, or another name.`);
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory())
    throw new EspalierError(`${path}: there is no folder ${dirname(path)}. Make it first.`);
}

/**
 * Writes a file so that it is either whole or not there: beside it first, then renamed. What existed is replaced only
 * with `force`, and only once its successor is complete.
 */
export async function writeFileAtomically(
  path: string,
  content: Uint8Array | string,
  { force = false, onProgress }: { readonly force?: boolean } & ProgressOptions = {},
): Promise<void> {
  await checkReplaceable(path, force);
  const beside = join(dirname(path), `.${basename(path)}.${randomUUID()}.part`);
  try {
    const file = await open(beside, "wx");
    try {
      if (typeof content === "string") await file.writeFile(content);
      else await writeInPortions(file, content, onProgress);
      await file.sync();
    } finally {
      await file.close();
    }
    if (force) await rename(beside, path);
    else await claim(beside, path);
  } finally {
    await rm(beside, { force: true });
  }
}

async function writeInPortions(
  file: FileHandle,
  content: Uint8Array,
  onProgress: OnProgress = () => {},
): Promise<void> {
  for (let at = 0; at < content.length; at += portion) {
    const part = content.subarray(at, at + portion);
    await file.writeFile(part);
    onProgress((at + part.length) / content.length);
  }
}

/** As a rename that never replaces: somebody else may have made the file in the meantime. */
async function claim(beside: string, path: string): Promise<void> {
  try {
    await link(beside, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new EspalierError(`${path} exists. Give --force to replace it, or another name.`);
    // Some file systems have no links.
    await rename(beside, path);
  }
}
