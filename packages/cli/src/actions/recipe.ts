import { EspalierError, readTarget } from "@espalier/core";
import { recipeJsonSchema, type Shorthand, targetText } from "@espalier/recipe";
import { plural } from "@espalier/report/text";
import type { RecipeOptions } from "../commands/recipe.ts";
import type { Context } from "../context.ts";
import { registryWith } from "../shared/plugins.ts";
import { loadRecipe } from "../shared/recipe.ts";

/** `espalier recipe`. */
export async function recipe(
  file: string | undefined,
  options: RecipeOptions,
  context: Context,
): Promise<void> {
  const registry = await registryWith(options.plugin, context);
  if (options.schema) {
    if (file !== undefined) throw new EspalierError("--schema is of all recipes: leave the file out.");
    context.print([JSON.stringify(recipeJsonSchema(registry), null, 2)]);
    return;
  }
  if (file === undefined) throw new EspalierError("give a recipe, or --schema.");
  const read = await loadRecipe(file, registry, context);
  if (options.json) context.print([JSON.stringify(read, null, 2)]);
  else context.print([`${context.colors.green(file)} is sound`, ...said(read).map((line) => `  ${line}`)]);
}

function said({ model, training, strategies, target, schedule = {}, fineTuning }: Shorthand): string[] {
  const drawn = typeof model === "object" ? model.use : model;
  const trained = training === undefined ? "" : `, trained for ${plural(training.epochs, "epoch")}`;
  const { steps, curve = "exponential" } = schedule;
  return [
    `model: ${drawn === undefined ? "the command line's" : `${drawn}${trained}`}`,
    `strategy: ${strategies.map(({ use }) => use).join(", then ")}`,
    `target: ${readTarget(target as Parameters<typeof readTarget>[0])
      .map(targetText)
      .join(" and ")}`,
    ...(steps === undefined ? [] : [`in ${plural(steps, "step")}, ${curve}`]),
    ...(fineTuning === undefined ? [] : [`fine-tuning: ${plural(fineTuning.epochs, "epoch")}`]),
  ];
}
