import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";
import { besideOf, type OnProgress, type ProgressOptions, tryWriting, writing } from "./files.ts";

export interface WriteFolderOptions extends ProgressOptions {
  /** Replace an existing folder. */
  readonly force?: boolean;
  /** Called after everything is written and before anything is replaced; if it throws, nothing changes. */
  readonly check?: () => Promise<void>;
}

/**
 * Writes a folder of files atomically: under a temporary name next to it, then renames. An existing folder is replaced
 * only with `force`, and only once the new one is complete.
 */
export async function writeFolderAtomically(
  path: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  { force = false, check, onProgress }: WriteFolderOptions = {},
): Promise<void> {
  await refuseExisting(path, force);
  const beside = besideOf(path, "part");
  await writing(path, async () => {
    try {
      await mkdir(beside);
      await writeAll(beside, files, onProgress);
      await check?.();
      await replaceFolder(beside, path, besideOf(path, "old"));
    } finally {
      await rm(beside, { recursive: true, force: true });
    }
  });
}

/**
 * Called before long work starts: throws an EspalierError if a folder exists and must not be replaced, or if it could not be
 * written.
 */
export async function checkFolderReplaceable(path: string, force = false): Promise<void> {
  await refuseExisting(path, force);
  await tryWriting(path);
}

async function refuseExisting(path: string, force: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) {
    throw new EspalierError(`${path} is a file. Give the name of a folder.`);
  }
  if (found !== undefined && !force) {
    throw new EspalierError(`${path} exists. Give --force to replace it, or choose another name.`);
  }
  const parent = await stat(dirname(path)).catch(() => undefined);
  if (!parent?.isDirectory()) {
    throw new EspalierError(`${path}: no such folder: ${dirname(path)}. Create it first.`);
  }
}

async function writeAll(
  folder: string,
  files: ReadonlyMap<string, Uint8Array | string>,
  onProgress?: OnProgress,
): Promise<void> {
  const size = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  let written = 0;
  for (const [name, content] of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    written += content.length;
    onProgress?.(written / size);
  }
}

/** Replaces a folder, if it exists, and deletes the old one afterwards. */
async function replaceFolder(part: string, path: string, old: string): Promise<void> {
  const moved = await rename(path, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
  try {
    await rename(part, path);
  } catch (error) {
    if (moved) await rename(old, path);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}
