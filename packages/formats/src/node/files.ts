import { randomUUID } from "node:crypto";
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";

/** Called from time to time with the share of a file that has been read or written, from 0 to 1. */
export type OnProgress = (share: number) => void;

/** Options for files that may be large. */
export interface ProgressOptions {
  readonly onProgress?: OnProgress;
}

/** Bytes between two progress reports. */
const portion = 8 * 2 ** 20;

/** Reads a file. Throws a one-line EspalierError if it is missing or a folder. */
export async function readBytes(
  path: string,
  what = "file",
  { onProgress }: ProgressOptions = {},
): Promise<Uint8Array> {
  try {
    return onProgress === undefined ? await readFile(path) : await readInPortions(path, onProgress);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new EspalierError(`${what} ${path}: no such file.`);
    if (code === "EISDIR") throw new EspalierError(`${what} ${path}: this is a folder, not a file.`);
    if (code === "EACCES" || code === "EPERM")
      throw new EspalierError(`${what} ${path}: cannot be read (no permission).`);
    throw error;
  }
}

async function readInPortions(path: string, onProgress: OnProgress): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const size = (await file.stat()).size;
    // Pipes and similar files have no size.
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

/** A file or folder could not be written: its file system or its permissions do not allow it. */
export class UnwritableError extends EspalierError {}

const obstacles: Readonly<Record<string, (folder: string) => string>> = {
  ENOSPC: () => "the disk is full",
  EDQUOT: () => "the disk quota is used up",
  EFBIG: () => "the file would be larger than the system allows",
  EROFS: (folder) => `the folder ${folder} is read-only`,
  EACCES: (folder) => `no permission to write in the folder ${folder}`,
  EPERM: (folder) => `no permission to write in the folder ${folder}`,
  ENAMETOOLONG: () => "the name is too long",
};

/** Does what writes a file or a folder; where the system refuses, throws an UnwritableError that names it. */
export async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const obstacle = obstacles[code];
    if (obstacle === undefined || error instanceof EspalierError) throw error;
    throw new UnwritableError(`cannot write ${path}: ${obstacle(dirname(path))}.`, { cause: error });
  }
}

/**
 * Called before long work starts: throws an EspalierError if a file exists and must not be replaced, or if it could not be
 * written.
 */
export async function checkReplaceable(path: string, force = false): Promise<void> {
  await refuseExisting(path, force);
  await tryWriting(await realpath(path).catch(() => path));
}

async function refuseExisting(path: string, force: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new EspalierError(`${path} is a folder. Give the name of a file.`);
  // A rename would put a file in the place of a device.
  if (found?.isFile() === false) throw new EspalierError(`${path} is not a file. Give the name of a file.`);
  if (found !== undefined && !force)
    throw new EspalierError(`${path} exists. Give --force to replace it, or choose another name.`);
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory())
    throw new EspalierError(`${path}: no such folder: ${dirname(path)}. Create it first.`);
}

/** Writes a few bytes beside a path and deletes them: permissions alone do not tell a read-only or full disk. */
export async function tryWriting(path: string): Promise<void> {
  const beside = besideOf(path, "part");
  await writing(path, async () => {
    try {
      await writeFile(beside, "espalier", { flag: "wx", flush: true });
    } finally {
      await rm(beside, { force: true });
    }
  });
}

/** Makes a folder, and its parents, if it is not there. */
export async function makeFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return;
  if (found !== undefined) throw new EspalierError(`${path} is a file. Give the name of a folder.`);
  if (dirname(path) !== path) await makeFolder(dirname(path));
  // Not `recursive`, which says of a read-only disk that the folder does not exist.
  await writing(path, () =>
    mkdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    }),
  );
}

/** A name next to a path for what is not complete yet. */
export function besideOf(path: string, kind: "part" | "old"): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.${kind}`);
}

/**
 * Writes a file atomically: to a temporary name next to it, then renames. An existing file is replaced only with
 * `force`, and only once the new one is complete.
 */
export async function writeFileAtomically(
  path: string,
  content: Uint8Array | string,
  { force = false, onProgress }: { readonly force?: boolean } & ProgressOptions = {},
): Promise<void> {
  await refuseExisting(path, force);
  // A link stays one: the file that it stands for is replaced.
  const target = await realpath(path).catch(() => path);
  const beside = besideOf(target, "part");
  await writing(path, async () => {
    try {
      const file = await open(beside, "wx");
      try {
        if (typeof content === "string") await file.writeFile(content);
        else await writeInPortions(file, content, onProgress);
        await file.sync();
      } finally {
        await file.close();
      }
      if (force) await rename(beside, target);
      else await claim(beside, path);
    } finally {
      await rm(beside, { force: true });
    }
  });
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

/** A rename that never replaces, because the file may have been created in the meantime. */
async function claim(beside: string, path: string): Promise<void> {
  try {
    await link(beside, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new EspalierError(`${path} exists. Give --force to replace it, or choose another name.`);
    // Some file systems have no links.
    await rename(beside, path);
  }
}
