import { realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { EspalierError } from "@espalier/core";

/**
 * Resolves a file that a recipe names, in its folder or below: a recipe from elsewhere must not reach other files on
 * this machine, not even through links. Throws an EspalierError for a path that leaves the folder.
 */
export async function besideRecipe(folder: string, path: string, place: string): Promise<string> {
  const full = resolve(folder, path);
  const real = await realpath(full).catch(() => undefined);
  const linked = real !== undefined && leaves(relative(await realpath(folder), real));
  if (isAbsolute(path) || leaves(relative(resolve(folder), full)) || linked) {
    throw new EspalierError(
      `${place}: "${path}" is outside the recipe's folder. Move it there, or name it on the command line.`,
    );
  }
  return full;
}

function leaves(way: string): boolean {
  return way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way);
}
