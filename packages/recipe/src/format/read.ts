import { EspalierError, refuseNewerFormat, type StrategySpec } from "@espalier/core";
import { drawModel } from "../registry/draw.ts";
import type { Registry } from "../registry/registry.ts";
import { explain, placeOf } from "./explain.ts";
import { recipeJsonSchema } from "./json-schema.ts";
import { type DrawnModel, type Recipe, recipeSchema } from "./schema.ts";
import { type LocatedYaml, readYaml } from "./yaml.ts";

/** A recipe that is sound. */
export interface ReadRecipe {
  readonly recipe: Recipe;
  /** Its name and the line of a key, for errors: `recipe r.yaml, line 3, data.dataset`. */
  place(...path: readonly PropertyKey[]): string;
}

/**
 * Reads a recipe, YAML or JSON, and checks all of it that needs no file: keys, values, names, and the options of models
 * and strategies. Throws an EspalierError that names line and key, what is allowed, and the nearest name.
 */
export function readRecipe(text: string, where: string, registry: Registry): ReadRecipe {
  const located = readYaml(text, where);
  const place = (...path: readonly PropertyKey[]) => placed(where, located, path);
  const { value } = located;
  refuseNewerFormat(value, "recipe", where);
  const result = recipeSchema.safeParse(value);
  if (!result.success) {
    const { issues } = result.error;
    // A slip in a key is the cause, and that the key is missing only follows from it.
    const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0]!;
    throw new EspalierError(`${place(...placeOf(issue))}: ${explain(issue, value, recipeJsonSchema())}`);
  }
  const recipe = value as Recipe;
  checkNames(recipe, registry, place);
  return { recipe, place };
}

function placed(where: string, { line }: LocatedYaml, path: readonly PropertyKey[]): string {
  const key = path.length === 0 ? "" : `, ${path.map(String).join(".")}`;
  return `${where}, line ${line(path)}${key}`;
}

/** Models, strategies and backends, and the options of the first two: their own schemas say what is wrong. */
function checkNames(recipe: Recipe, registry: Registry, place: ReadRecipe["place"]): void {
  const at = (path: readonly PropertyKey[], check: () => unknown) => {
    try {
      check();
    } catch (error) {
      if (error instanceof EspalierError) throw new EspalierError(`${place(...path)}: ${error.message}`);
      throw error;
    }
  };
  recipe.strategies.forEach((strategy, i) => {
    at(["strategies", i], () => registry.strategy(strategy));
  });
  at(["combined"], () => registry.strategy(wholeStrategy(recipe)));
  const { model, backend, latency } = recipe;
  if (typeof model === "object") at(["model"], () => drawModel(registry, drawingOf(model)));
  if (backend !== undefined) at(["backend"], () => registry.backend(backend));
  if (latency?.backend !== undefined) at(["latency", "backend"], () => registry.backend(latency.backend!));
}

/** All strategies of a recipe as one. */
export function wholeStrategy({
  strategies,
  combined,
}: Pick<Recipe, "strategies" | "combined">): StrategySpec {
  if (strategies.length === 1) return strategies[0]!;
  return { ...combined, use: "combined", stages: strategies };
}

/** A model's name and its options. */
export function drawingOf({ weights: _file, ...drawing }: DrawnModel): { readonly use: string } {
  return drawing;
}
