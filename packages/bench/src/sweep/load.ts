import { dirname, isAbsolute, resolve } from "node:path";
import { EspalierError } from "@espalier/core";
import { readBytes } from "@espalier/formats/node";
import { type Registry, readRecipe, readYaml } from "@espalier/recipe";
import { parseSweepConfig, readSweepConfig, type SweepConfig, type SweepRecipe } from "./config.ts";

/**
 * Reads a sweep file. Recipe files and weights that it names are resolved relative to it. Throws an EspalierError that
 * names the file and the line.
 */
export async function loadSweepConfig(path: string, where: string, registry: Registry): Promise<SweepConfig> {
  const text = await textOf(path, "sweep");
  const { value } = readYaml(text, where);
  const { recipes, models } = (value ?? {}) as { readonly recipes?: unknown; readonly models?: unknown };
  const folder = dirname(resolve(path));
  const files = Array.isArray(recipes) ? recipes.filter((recipe) => typeof recipe === "string") : [];
  const weighed = Array.isArray(models) && models.some((model) => typeof model?.weights === "string");
  if (files.length === 0 && !weighed) return parseSweepConfig(text, where);
  const found = await Promise.all(
    (Array.isArray(recipes) ? recipes : []).map((recipe) =>
      typeof recipe === "string" ? recipeFrom(resolve(folder, recipe), recipe, registry) : recipe,
    ),
  );
  const beside = (file: unknown) =>
    typeof file === "string" && !isAbsolute(file) ? resolve(folder, file) : file;
  return readSweepConfig(
    {
      ...(value as object),
      ...(found.length > 0 && { recipes: found }),
      ...(Array.isArray(models) && {
        models: models.map((model) =>
          model?.weights ? { ...model, weights: beside(model.weights) } : model,
        ),
      }),
    },
    where,
  );
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
