import type { StrategySpec } from "@espalier/core";
import type { Recipe } from "@espalier/recipe";
import type { Choice } from "./protocol.ts";

/** The stages of `combined` on this page: heads, then channels, then weights, which take two thirds. */
const stages = ["head", "channel", "unstructured"] as const;
const weights = [1, 1, 4] as const;

/** A choice as a recipe names it. */
export function specOf({ strategy, criterion, structure }: Choice): StrategySpec {
  const stage = (use: string): StrategySpec => ({
    use,
    ...(criterion !== undefined && { criterion }),
    ...(use === "unstructured" && structure !== undefined && { structure }),
  });
  return strategy === "combined" ? { use: "combined", stages: stages.map(stage), weights } : stage(strategy);
}

/** Short enough for a page, long enough to recover: a rate that rises and falls, and the dense model as a teacher. */
export const tuning = {
  fit: { epochs: 12, batchSize: 32, learningRate: 0.002, rateSchedule: "cosine", warmup: 0.1, patience: 0 },
  distill: 0.5,
} as const;

/** A choice as a recipe: pruned to the target, or as near as can be, and fine-tuned if asked. */
export function recipeOf(choice: Choice, tuned: boolean): Recipe {
  const reconstruct = tuned ? { reconstruct: { batches: 4 } } : {};
  return {
    format: 2,
    target: choice.target,
    steps: [
      { do: "prune", strategy: specOf(choice), acceptNearest: true, ...reconstruct },
      ...(tuned ? [{ do: "tune" as const, ...tuning }] : []),
    ],
  };
}

/** Arguments of `espalier prune` that do the same to a model file, to the byte: a recipe's file if there is one. */
export function commandOf(
  choice: Choice,
  files: { readonly model: string; readonly out: string; readonly recipe?: string },
): string[] {
  if (files.recipe !== undefined) return ["prune", files.model, "--recipe", files.recipe, "--out", files.out];
  const { strategy, criterion, structure, target } = choice;
  const used = strategy === "combined" ? stages : [strategy];
  return [
    "prune",
    files.model,
    ...used.flatMap((use) => ["--strategy", use]),
    ...(criterion === undefined ? [] : ["--criterion", criterion]),
    ...(structure === undefined ? [] : ["--set", `structure=${structure}`]),
    ...(strategy === "combined" ? ["--set", `combined.weights=[${weights.join(",")}]`] : []),
    ...Object.entries(target).flatMap(([metric, value]) => [`--${metric}`, `${value}`]),
    "--accept-nearest",
    "--out",
    files.out,
  ];
}
