import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { EspalierError } from "@espalier/core";
import { isDataFile } from "@espalier/datasets/node";
import { readBytes } from "@espalier/formats/node";
import { formatRecipe, type ReadRecipe, type Recipe, type Registry, readRecipe } from "@espalier/recipe";
import { besideRecipe } from "@espalier/recipe/node";
import type { Context } from "../context.ts";

/** A recipe from a file, with its paths resolved relative to that file. */
export interface LoadedRecipe extends ReadRecipe {
  /** The path of the recipe, as the user wrote it. */
  readonly file: string;
}

/** Reads a recipe from a file. Throws an EspalierError if it is invalid or if a path leaves its folder. */
export async function loadRecipe(file: string, registry: Registry, context: Context): Promise<LoadedRecipe> {
  const path = context.path(file);
  const text = new TextDecoder().decode(await readBytes(path, "recipe"));
  const read = readRecipe(text, `recipe ${file}`, registry);
  const folder = dirname(resolve(path));
  const recipe = await withPaths(read.recipe, (given, ...key) =>
    besideRecipe(folder, given, read.place(...key)),
  );
  const { model, data } = recipe;
  const found = { ...(model !== undefined && { model }), ...(data !== undefined && { data }) };
  return { ...read, file, recipe, ...(read.shorthand && { shorthand: { ...read.shorthand, ...found } }) };
}

/**
 * Formats a recipe as the text of a file. Model and data files outside the recipe's folder are left out, and must be
 * named on the command line.
 */
export async function recipeText(recipe: Recipe, folder: string, context: Context): Promise<string> {
  const beside = async (given: string, key: PropertyKey) => {
    const way = relative(resolve(folder), resolve(context.path(given)));
    if (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way)) return way.split(sep).join("/");
    if (key !== "steps") return undefined;
    throw new EspalierError(`--recipe-out: plan ${given} is not in the recipe's folder. Move it there.`);
  };
  return formatRecipe(await withPaths(recipe, beside));
}

/** The recipe with its paths (model, weights, CSV file, plans) mapped. A path that maps to undefined loses its key. */
async function withPaths(
  recipe: Recipe,
  change: (path: string, ...key: PropertyKey[]) => Promise<string | undefined>,
): Promise<Recipe> {
  const { model, data, steps, ...rest } = recipe;
  const changed = async <K extends string>(name: K, path: string, ...key: PropertyKey[]) => {
    const way = await change(path, ...key);
    return (way === undefined ? {} : { [name]: way }) as { [name in K]?: string };
  };
  const found: { model?: Recipe["model"]; data?: Recipe["data"] } = {};
  if (typeof model === "string") Object.assign(found, await changed("model", model, "model"));
  else if (model !== undefined) {
    const { weights, ...drawn } = model;
    found.model = {
      ...drawn,
      ...(weights !== undefined && (await changed("weights", weights, "model", "weights"))),
    };
  }
  if (data !== undefined) {
    const { dataset, ...how } = data;
    const file = dataset !== undefined && isDataFile(dataset);
    const named = file ? await changed("dataset", dataset, "data", "dataset") : { dataset };
    found.data = { ...(dataset !== undefined && named), ...how };
    if (Object.keys(found.data).length === 0) delete found.data;
  }
  const planned = steps.map(async (step, i) =>
    step.do === "apply" && typeof step.plan === "string"
      ? { ...step, plan: (await change(step.plan, "steps", i, "plan"))! }
      : step,
  );
  return { ...found, ...rest, steps: (await Promise.all(planned)) as Recipe["steps"] };
}
