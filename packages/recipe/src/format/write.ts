import { stringify } from "yaml";
import type { Recipe } from "./recipe.ts";
import type { Shorthand } from "./shorthand.ts";

/** Formats a recipe as YAML, with its format number. */
export function formatRecipe(recipe: Recipe | Shorthand): string {
  return stringify(
    { format: "steps" in recipe ? 2 : 1, ...recipe },
    { lineWidth: 100, aliasDuplicateObjects: false },
  );
}
