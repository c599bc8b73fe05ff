import type { StrategySpec, Target } from "@espalier/core";
import { readTarget } from "@espalier/core/pruning";
import { type Recipe, type Step, targetsOf, targetText } from "@espalier/recipe";
import { plural } from "./numbers.ts";

/** Describes each step of a recipe in words. */
export function stepTexts(recipe: Pick<Recipe, "steps" | "target">): string[] {
  const targets = targetsOf(recipe);
  return recipe.steps.map((step, i) => stepText(step, targets[i]));
}

function stepText(step: Step, target: Target | undefined): string {
  if (step.do === "train") return `train for ${fitText(step.fit)}`;
  if (step.do === "apply") {
    const plan = typeof step.plan === "string" ? step.plan : "its embedded plan";
    return `carry out ${plan}${reconstructText(step.reconstruct)}`;
  }
  if (step.do === "prune")
    return `prune by ${strategyText(step.strategy)} to ${goalText(target, step)}${reconstructText(step.reconstruct)}`;
  const { fit, distill, masks } = step;
  const teacher = distill === undefined ? "" : `, the unpruned model teaches (${distill})`;
  const { strategy, target: _own, acceptNearest: _, ...pace } = masks ?? {};
  const tightening =
    strategy === undefined
      ? ""
      : `, masks by ${strategyText(strategy)} tighten to ${goalText(target, masks!)}${settingsText(pace)}`;
  return `tune for ${fitText(fit)}${teacher}${tightening}`;
}

function fitText({ epochs = 0, ...settings }: Extract<Step, { do: "train" }>["fit"]): string {
  return `${plural(epochs, "epoch")}${settingsText(settings)}`;
}

function goalText(
  target: Target | undefined,
  { acceptNearest }: { readonly acceptNearest?: boolean | undefined },
): string {
  const goals = target === undefined ? "no target" : readTarget(target).map(targetText).join(" and ");
  return `${goals}${acceptNearest ? ", or as near as possible" : ""}`;
}

function reconstructText(settings: object | undefined): string {
  return settings === undefined
    ? ""
    : `, refit the remaining weights to the unpruned outputs${settingsText(settings)}`;
}

function strategyText({ use, ...options }: StrategySpec): string {
  const { stages, ...rest } = options as { readonly stages?: readonly StrategySpec[] };
  const name = Array.isArray(stages) ? stages.map(strategyText).join(", then ") : use;
  return `${name}${settingsText(rest)}`;
}

/** Options as ` (key value, key value)`; the empty string if there are none. */
function settingsText(settings: object): string {
  const all = Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return all.length === 0 ? "" : ` (${all.join(", ")})`;
}
