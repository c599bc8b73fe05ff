import type { StrategySpec } from "@espalier/core";
import type { Choice } from "./protocol.ts";

/** What `combined` does here: heads, then channels, then weights, which take on two thirds. */
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

/** Arguments of `espalier prune` that do the same to a model file; `nearest`: the target cannot be met. */
export function commandOf(
  choice: Choice,
  files: { readonly model: string; readonly out: string },
  nearest: boolean,
): string[] {
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
    ...(nearest ? ["--accept-nearest"] : []),
    "--out",
    files.out,
  ];
}
