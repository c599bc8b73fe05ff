import { dirname, resolve } from "node:path";
import { EspalierError } from "@espalier/core";
import { readBytes } from "@espalier/formats/node";
import { type Registry, readRecipe, readYaml } from "@espalier/recipe";
import { parseSweepConfig, readSweepConfig, type SweepConfig, type SweepRecipe } from "./config.ts";

/**
 * Reads a sweep file. Recipe files that it names are read from beside it; `weights` keep the path that is written, and are
 * read from the `beside` folder of the run. Throws an EspalierError that names the file and the line.
 */
export async function loadSweepConfig(path: string, where: string, registry: Registry): Promise<SweepConfig> {
  const text = await textOf(path, "sweep");
  const { value } = readYaml(text, where);
  const { recipes } = (value ?? {}) as { readonly recipes?: unknown };
  const folder = dirname(resolve(path));
  const files = Array.isArray(recipes) ? recipes.filter((recipe) => typeof recipe === "string") : [];
  if (files.length === 0) return parseSweepConfig(text, where);
  const found = await Promise.all(
    (recipes as unknown[]).map((recipe) =>
      typeof recipe === "string" ? recipeFrom(resolve(folder, recipe), recipe, registry) : recipe,
    ),
  );
  return readSweepConfig({ ...(value as object), recipes: found }, where);
}

/** The steps of a recipe file; model, data, seed and backend come from the sweep. */
async function recipeFrom(path: string, name: string, registry: Registry): Promise<SweepRecipe> {
  const { recipe } = readRecipe(await textOf(path, "recipe"), `recipe ${name}`, registry);
  const { steps, target, latency, label, model, data, seed, backend } = recipe;
  const own = Object.entries({ model, data, seed, backend }).find(([, value]) => value !== undefined)?.[0];
  if (own !== undefined)
    throw new EspalierError(`recipe ${name}: the sweep decides ${own}. Remove it from a recipe for sweeps.`);
  return {
    label: label ?? name.replace(/^.*\/|\.[^.]*$/g, ""),
    steps,
    ...(target && { target }),
    ...(latency && { latency }),
  };
}

async function textOf(path: string, what: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(path, what));
}
