import { basename } from "node:path";
import { EspalierError } from "@espalier/core";
import { recipeJsonSchema } from "@espalier/recipe";
import type { RecipeOptions } from "../commands/recipe.ts";
import type { Context } from "../context.ts";
import { stepTexts } from "../output/steps.ts";
import { registryWith } from "../shared/plugins.ts";
import { type LoadedRecipe, loadRecipe } from "../shared/recipe.ts";

/** `espalier recipe`. */
export async function recipe(
  file: string | undefined,
  options: RecipeOptions,
  context: Context,
): Promise<void> {
  const registry = await registryWith(options.plugin, context);
  if (options.schema) {
    if (file !== undefined) throw new EspalierError("--schema describes every recipe: drop the file.");
    context.print([JSON.stringify(recipeJsonSchema(registry), null, 2)]);
    return;
  }
  if (file === undefined) throw new EspalierError("give a recipe file, or --schema.");
  const read = await loadRecipe(file, registry, context);
  if (options.json) context.print([JSON.stringify(read.recipe, null, 2)]);
  else context.print([`${context.colors.green(file)} is valid`, ...said(read).map((line) => `  ${line}`)]);
}

function said({ recipe }: LoadedRecipe): string[] {
  const { model, data, steps } = recipe;
  const drawn = typeof model === "object" ? `a new ${model.use}` : model && basename(model);
  const width = `${steps.length}`.length;
  return [
    `model: ${drawn ?? "from the command line"}`,
    ...(data?.dataset === undefined ? [] : [`data: ${basename(data.dataset)}`]),
    ...stepTexts(recipe).map((text, i) => `${`${i + 1}`.padStart(width)}  ${text}`),
  ];
}
