import { randomUUID } from "node:crypto";
import { link, open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";

/** Reads a file; a missing one, or a folder, is an EspalierError in one line. */
export async function readBytes(path: string, what = "file"): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new EspalierError(`${what} ${path}: there is no such file.`);
    if (code === "EISDIR") throw new EspalierError(`${what} ${path}: this is a folder, not a file.`);
    if (code === "EACCES" || code === "EPERM")
      throw new EspalierError(`${what} ${path}: it may not be read (no permission).`);
    throw error;
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
  { force = false } = {},
): Promise<void> {
  await checkReplaceable(path, force);
  const beside = join(dirname(path), `.${basename(path)}.${randomUUID()}.part`);
  try {
    const file = await open(beside, "wx");
    try {
      await file.writeFile(content);
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
