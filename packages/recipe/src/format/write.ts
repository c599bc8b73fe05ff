import { stringify } from "yaml";
import type { Recipe } from "./schema.ts";

/** A recipe as YAML, without what is not said. */
export function formatRecipe(recipe: Recipe): string {
  return stringify({ format: 1, ...recipe }, { lineWidth: 100 });
}
