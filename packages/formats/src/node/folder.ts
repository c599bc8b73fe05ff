import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";
import type { ProgressOptions } from "./files.ts";

/**
 * Writes a folder of files so that it is either whole or not there: beside it first, then renamed. A folder that exists
 * is replaced only with `force`, and only once its successor is complete.
 */
export async function writeFolderAtomically(
  path: string,
  files: ReadonlyMap<string, Uint8Array>,
  { force = false, onProgress }: { readonly force?: boolean } & ProgressOptions = {},
): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) {
    throw new EspalierError(`${path} is a file. Give the name of a folder.`);
  }
  if (found !== undefined && !force) {
    throw new EspalierError(`${path} exists. Give --force to replace it, or another name.`);
  }
  const parent = await stat(dirname(path)).catch(() => undefined);
  if (!parent?.isDirectory()) {
    throw new EspalierError(`${path}: there is no folder ${dirname(path)}. Make it first.`);
  }
  const named = (what: string) => join(dirname(path), `.${basename(path)}.${randomUUID()}.${what}`);
  const beside = named("part");
  const old = named("old");
  try {
    await mkdir(beside);
    const size = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    let written = 0;
    for (const [name, content] of files) {
      await mkdir(dirname(join(beside, name)), { recursive: true });
      await writeFile(join(beside, name), content);
      written += content.length;
      onProgress?.(written / size);
    }
    if (found !== undefined) await rename(path, old);
    await rename(beside, path);
    await rm(old, { recursive: true, force: true });
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}
