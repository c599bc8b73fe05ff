import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";
import type { Context } from "../context.ts";

/** Files by the option or argument that names them; `undefined` for those that are not given. */
export type NamedFiles = Readonly<Record<string, string | undefined>>;

/**
 * Refuses a command that would write one file twice, or over a file that it reads: even `--force` does not mean that.
 *
 * @throws EspalierError that names both.
 */
export async function expectApart(written: NamedFiles, read: NamedFiles, context: Context): Promise<void> {
  const outputs = await located(written, context);
  const inputs = await located(read, context);
  for (const [i, { name, path, file }] of outputs.entries()) {
    const twin = outputs.slice(0, i).find((other) => other.file === file);
    if (twin !== undefined)
      throw new EspalierError(`${twin.name} and ${name} are both ${path}. Give each a file of its own.`);
    const source = inputs.find((other) => other.file === file);
    if (source !== undefined)
      throw new EspalierError(`${name} is ${path}, which is read as ${source.name}. Give another name.`);
  }
}

async function located(files: NamedFiles, context: Context) {
  const given = Object.entries(files).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Promise.all(
    given.map(async ([name, path]) => ({ name, path, file: await identity(context.path(path)) })),
  );
}

/** The file itself, whatever links lead there; its name where it is not there yet. */
async function identity(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true }).catch(() => ({ dev: 0n, ino: 0n }));
  if (ino !== 0n) return `${dev}:${ino}`;
  const folder = await realpath(dirname(path)).catch(() => dirname(path));
  return join(folder, basename(path));
}
