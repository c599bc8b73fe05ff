import { EspalierError, type Model, type StrategySpec } from "@espalier/core";
import { nearestName } from "@espalier/core/documents";
import { matchesAny, residualModules } from "@espalier/core/pruning";
import type { Problem } from "./check.ts";
import type { Recipe } from "./recipe.ts";
import { pruningOf } from "./step-target.ts";

/** Names in a model that a pattern of `keep` can match: tensors, dimensions, and modules. */
export function keepableNames({ graph, dimensions }: Pick<Model, "graph" | "dimensions">): string[] {
  return [
    ...graph.tensors.map(({ name }) => name),
    ...dimensions.list.map(({ name }) => name),
    ...residualModules(graph, dimensions).map(({ name }) => name),
  ];
}

/**
 * Patterns of a recipe's strategies, `keep`, that match none of the names of the model it starts from: a slip of the keyboard
 * would prune what was to be protected.
 */
export function idleKeeps({ steps }: Pick<Recipe, "steps">, names: readonly string[]): Problem[] {
  return steps.flatMap((step, i): Problem[] => {
    const strategy = pruningOf(step)?.strategy;
    const path = step.do === "tune" ? ["steps", i, "masks", "strategy"] : ["steps", i, "strategy"];
    return strategy === undefined
      ? []
      : idlePatterns(strategy, names).map((pattern) => ({ path, message: idleText(pattern, names) }));
  });
}

/** Throws an EspalierError for the first pattern, in a strategy or a recipe's steps, that matches none of the names. */
export function expectKeeps(what: StrategySpec | Pick<Recipe, "steps">, names: readonly string[]): void {
  const problem = "steps" in what ? idleKeeps(what as Pick<Recipe, "steps">, names)[0]?.message : undefined;
  const [pattern] = "use" in what ? idlePatterns(what, names) : [];
  const message = problem ?? (pattern && idleText(pattern, names));
  if (message !== undefined) throw new EspalierError(message);
}

function idlePatterns(strategy: StrategySpec, names: readonly string[]): string[] {
  const { keep, stages } = strategy as { readonly keep?: unknown; readonly stages?: readonly StrategySpec[] };
  const own = Array.isArray(keep) ? keep.filter((pattern) => typeof pattern === "string") : [];
  return [
    ...own.filter((pattern) => !names.some((name) => matchesAny([pattern], name))),
    ...(Array.isArray(stages) ? stages.flatMap((stage) => idlePatterns(stage, names)) : []),
  ];
}

function idleText(pattern: string, names: readonly string[]): string {
  const suggestion = nearestPattern(pattern, names);
  const hint = suggestion === undefined ? "" : ` Did you mean "${suggestion}"?`;
  return `keep "${pattern}" matches no tensor, dimension or module of the model.${hint} espalier inspect MODEL --all shows their names.`;
}

/** The nearest name; of a pattern that ends in a star, the nearest beginning of names, with its star. */
function nearestPattern(pattern: string, names: readonly string[]): string | undefined {
  const [, lead = "", stem = "", tail = ""] = /^(\*?)(.*?)((?:\.?\*)?)$/.exec(pattern)!;
  const parts = names.map((name) => name.split("."));
  const from = parts.flatMap((part) => (lead === "" ? [part] : part.map((_, i) => part.slice(i))));
  const to = from.flatMap((part) => (tail === "" ? [part] : part.map((_, i) => part.slice(0, i + 1))));
  const suggestion = nearestName(stem, [...new Set(to.map((part) => part.join(".")))]);
  return suggestion === undefined ? undefined : `${lead}${suggestion}${tail}`;
}
