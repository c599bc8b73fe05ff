import type { Target } from "@espalier/core";
import { leftOf, readTarget } from "@espalier/core/pruning";
import { leftAt } from "@espalier/training";
import type { Recipe, Step, StepTarget } from "./recipe.ts";

/** The target of a step: its own, or its share of the way to the recipe's. Undefined if there is neither. */
export function targetOf(asked: StepTarget, whole: Target | undefined): Target | undefined {
  if (asked === undefined) return whole;
  const { progress, curve = "exponential", ...own } = asked;
  if (progress === undefined) return own as Target;
  if (whole === undefined) return undefined;
  return Object.fromEntries(
    readTarget(whole).map(({ metric, asked: end }) => [
      metric,
      leftOf(metric, leftAt(curve, leftOf(metric, end), progress)),
    ]),
  );
}

/** The part of a step that removes or masks to a target; undefined for other steps. */
export function pruningOf(step: Step) {
  if (step.do === "prune") return step;
  return step.do === "tune" ? step.masks : undefined;
}

/** Whether a step aims at the target of the whole recipe. */
export function followsRecipe(step: Step): boolean {
  const pruning = pruningOf(step);
  return pruning !== undefined && (pruning.target === undefined || pruning.target.progress !== undefined);
}

/** The targets of a recipe's steps, in their order; undefined for steps without one. */
export function targetsOf({ steps, target }: Pick<Recipe, "steps" | "target">): (Target | undefined)[] {
  return steps.map((step) => {
    const pruning = pruningOf(step);
    return pruning && targetOf(pruning.target, target as Target | undefined);
  });
}
