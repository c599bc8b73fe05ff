import { EspalierError } from "@espalier/core";
import { readBy, refuseNewerFormat } from "@espalier/core/documents";
import type { z } from "zod";
import { drawModel } from "../registry/draw.ts";
import type { Registry } from "../registry/registry.ts";
import { type Problem, problemsIn } from "./check.ts";
import { expand, wholeStrategy } from "./expand.ts";
import type { DrawnModel } from "./parts.ts";
import { type Recipe, recipeSchema } from "./recipe.ts";
import { contradictionsIn, type Shorthand, shorthandSchema } from "./shorthand.ts";
import { type LocatedYaml, readYaml } from "./yaml.ts";

/** A valid recipe. */
export interface ReadRecipe {
  /** The recipe as steps, whichever format it was written in. */
  readonly recipe: Recipe;
  /** The original shorthand, if it was written in format 1. */
  readonly shorthand?: Shorthand;
  /** Location of a key for errors, with name and line: `recipe r.yaml, line 3, data.dataset`. */
  place(...path: readonly PropertyKey[]): string;
}

/**
 * Reads a recipe, YAML or JSON, and checks everything that needs no file: keys, values, names, the order of steps, and
 * the options of models and strategies. Throws an EspalierError that names the line and key, what is allowed, and the
 * nearest name.
 */
export function readRecipe(text: string, where: string, registry: Registry): ReadRecipe {
  const located = readYaml(text, where);
  const place = (...path: readonly PropertyKey[]) => placed(where, located, path);
  const { value } = located;
  refuseNewerFormat(value, "recipe", where, 2);
  return isShorthand(value) ? readShorthand(value, place, registry) : readSteps(value, place, registry);
}

/** Format 1 has no steps; a file without a number is recognised by them. */
function isShorthand(value: unknown): boolean {
  const { format, steps } = (value ?? {}) as { readonly format?: unknown; readonly steps?: unknown };
  return format === undefined ? steps === undefined : format === 1;
}

function readSteps(value: unknown, place: ReadRecipe["place"], registry: Registry): ReadRecipe {
  const recipe = parsed<Recipe>(recipeSchema, value, place);
  checkModel(recipe, place, registry);
  refuseFirst(problemsIn(recipe, { registry }), place);
  return { recipe, place };
}

function readShorthand(value: unknown, place: ReadRecipe["place"], registry: Registry): ReadRecipe {
  const shorthand = parsed<Shorthand>(shorthandSchema, value, place);
  const [contradiction] = contradictionsIn(shorthand);
  if (contradiction !== undefined)
    throw new EspalierError(`${place(...contradiction.path)}: ${contradiction.message}.`);
  shorthand.strategies.forEach((strategy, i) => {
    at(place("strategies", i), () => registry.strategy(strategy));
  });
  at(place("combined"), () => registry.strategy(wholeStrategy(shorthand)));
  checkModel(shorthand, place, registry);
  const recipe = expand(shorthand);
  const placeOfStep = (...path: readonly PropertyKey[]) => place(...keyOf(path));
  refuseFirst(problemsIn(recipe, { registry }), placeOfStep);
  return { recipe, shorthand, place: placeOfStep };
}

/** The key of a shorthand that corresponds to a problem in its steps. */
function keyOf(path: readonly PropertyKey[]): readonly PropertyKey[] {
  if (path[0] !== "steps") return path;
  const last = path.at(-1);
  return last === "strategy" ? ["strategies"] : last === "target" ? ["target"] : ["fineTuning"];
}

function parsed<T>(schema: z.ZodType, value: unknown, place: ReadRecipe["place"]): T {
  readBy(schema, value, (path) => place(...path));
  return value as T;
}

function checkModel({ model }: Pick<Recipe, "model">, place: ReadRecipe["place"], registry: Registry): void {
  if (typeof model === "object") at(place("model"), () => drawModel(registry, drawingOf(model)));
}

function refuseFirst([problem]: readonly Problem[], place: ReadRecipe["place"]): void {
  if (problem !== undefined) throw new EspalierError(`${place(...problem.path)}: ${problem.message}`);
}

function at(where: string, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (error instanceof EspalierError) throw new EspalierError(`${where}: ${error.message}`);
    throw error;
  }
}

function placed(where: string, { line }: LocatedYaml, path: readonly PropertyKey[]): string {
  const key = path.length === 0 ? "" : `, ${path.map(String).join(".")}`;
  return `${where}, line ${line(path)}${key}`;
}

/** A model's name and its options. */
export function drawingOf({ weights: _file, ...drawing }: DrawnModel): { readonly use: string } {
  return drawing;
}
