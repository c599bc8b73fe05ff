import { realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { EspalierError } from "@espalier/core";

/**
 * A file that a recipe names, beside it or below: what comes with a recipe from elsewhere must not reach what else is on
 * this machine, through links neither. Throws an EspalierError for a path that leads out of the folder.
 */
export async function besideRecipe(folder: string, path: string, place: string): Promise<string> {
  const full = resolve(folder, path);
  const real = await realpath(full).catch(() => undefined);
  const linked = real !== undefined && leaves(relative(await realpath(folder), real));
  if (isAbsolute(path) || leaves(relative(resolve(folder), full)) || linked) {
    throw new EspalierError(
      `${place}: "${path}" leads out of the recipe's folder. Put it there, or name it on the command line.`,
    );
  }
  return full;
}

function leaves(way: string): boolean {
  return way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way);
}
