import { digest, EspalierError, type Model, type StrategySpec, type Target } from "@espalier/core";
import { leftOf } from "@espalier/core/pruning";
import type { Registry } from "../registry/registry.ts";
import type { Recipe, Step } from "./recipe.ts";
import { followsRecipe, pruningOf, targetsOf } from "./step-target.ts";

/** A problem in a recipe. */
export interface Problem {
  /** Path of the key to change. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The context that a recipe is checked in. */
export interface CheckContext {
  readonly registry: Pick<Registry, "strategies" | "strategy" | "backend">;
  /** The model that it starts from, if known. */
  readonly model?: Model | undefined;
}

/**
 * Finds all problems of a recipe that can be known before its first step runs: an impossible order of steps, unknown
 * names and options, targets without effect. The most telling problem comes first.
 */
export function problemsIn(recipe: Recipe, { registry, model }: CheckContext): Problem[] {
  return [...unknownNames(recipe, registry), ...misplaced(recipe, registry, model), ...idleTargets(recipe)];
}

/** Throws an EspalierError for the first problem of a recipe. */
export function check(recipe: Recipe, context: CheckContext): void {
  const [problem] = problemsIn(recipe, context);
  if (problem === undefined) return;
  throw new EspalierError(`recipe, ${problem.path.map(String).join(".")}: ${problem.message}`);
}

function unknownNames({ steps, backend, latency }: Recipe, registry: CheckContext["registry"]): Problem[] {
  const problems: Problem[] = [];
  const at = (path: readonly PropertyKey[], look: () => unknown) => {
    try {
      look();
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error;
      problems.push({ path, message: error.message });
    }
  };
  steps.forEach((step, i) => {
    const pruning = pruningOf(step);
    const path = step.do === "tune" ? ["steps", i, "masks", "strategy"] : ["steps", i, "strategy"];
    if (pruning !== undefined) at(path, () => registry.strategy(pruning.strategy));
  });
  if (backend !== undefined) at(["backend"], () => registry.backend(backend));
  if (latency?.backend !== undefined) at(["latency", "backend"], () => registry.backend(latency.backend!));
  return problems;
}

function misplaced(recipe: Recipe, registry: CheckContext["registry"], model: Model | undefined): Problem[] {
  const { steps } = recipe;
  const problems: Problem[] = [];
  const refuse = (path: readonly PropertyKey[], message: string) => problems.push({ path, message });
  if (typeof recipe.model === "object" && recipe.model.weights === undefined && steps[0]?.do !== "train")
    refuse(["model"], "has no weights yet. Begin with a train step, or give model.weights.");
  const pruned = steps.findIndex(({ do: verb }) => verb !== "train");
  let masked = (model?.masks.size ?? 1) > 0 && model !== undefined;
  steps.forEach((step, i) => {
    const at = (...path: PropertyKey[]) => ["steps", i, ...path];
    if (step.do === "train" && pruned >= 0 && pruned < i)
      refuse(at("do"), "train comes before pruning. Use tune to train a pruned model.");
    if (step.do === "train" && step.fit.regrow !== undefined)
      refuse(at("fit", "regrow"), "nothing is masked before pruning, so nothing can regrow.");
    if (step.do === "tune" && step.masks !== undefined) {
      const { strategy } = step.masks;
      if (removes(strategy, registry))
        refuse(
          at("masks", "strategy"),
          `"${strategy.use}" removes parts of the model; only weights can be masked step by step. Prune by it first.`,
        );
      if (targetsOf(recipe)[i]?.latency !== undefined)
        refuse(at("masks", "target"), "latency cannot be measured while the model is trained.");
    }
    if (step.do === "tune" && step.fit.regrow !== undefined && model !== undefined) {
      if (!masked && step.masks === undefined && !steps.slice(0, i).some(maskSomething(registry)))
        refuse(at("fit", "regrow"), "nothing is masked before this step, so nothing can regrow.");
    }
    if (step.do === "apply" && typeof step.plan === "object" && model !== undefined && i === 0) {
      if ((step.plan as { base?: unknown }).base !== digest(model))
        refuse(at("plan"), "was made for another model, or this one was already pruned.");
    }
    masked ||= maskSomething(registry)(step);
  });
  return problems;
}

const maskSomething = (registry: CheckContext["registry"]) => (step: Step) => {
  const pruning = pruningOf(step);
  return step.do === "apply" || (pruning !== undefined && removes(pruning.strategy, registry) !== true);
};

/** Whether a strategy removes parts, according to its plug-in; undefined if that does not say. */
function removes(spec: StrategySpec, registry: CheckContext["registry"]): boolean | undefined {
  const { stages } = spec as { readonly stages?: readonly StrategySpec[] };
  if (Array.isArray(stages)) return stages.some((stage) => removes(stage, registry) === true);
  const { changes } = registry.strategies.get(spec.use) ?? {};
  return changes === undefined ? undefined : changes === "structure";
}

function idleTargets(recipe: Recipe): Problem[] {
  const { steps, target, latency } = recipe;
  const targets = targetsOf(recipe);
  const problems: Problem[] = [];
  const refuse = (path: readonly PropertyKey[], message: string) => problems.push({ path, message });
  const places = steps.map((step, i) =>
    step.do === "tune" ? ["steps", i, "masks", "target"] : ["steps", i, "target"],
  );
  steps.forEach((step, i) => {
    const pruning = pruningOf(step);
    if (pruning === undefined) return;
    if (targets[i] === undefined)
      refuse(places[i]!, "is missing: give a target to this step, or to the recipe.");
    const before = targets.slice(0, i).find((earlier) => isReached(targets[i], earlier));
    if (before !== undefined && !pruning.acceptNearest)
      refuse(places[i]!, `asks for no more than step ${targets.indexOf(before) + 1} has reached.`);
  });
  if (target !== undefined && !steps.some(followsRecipe))
    refuse(["target"], "has no effect, because every step has its own target. Drop it.");
  if (latency !== undefined && !targets.some((t) => t?.latency !== undefined))
    refuse(["latency"], "only applies with a latency target.");
  return problems;
}

/** Whether a target is already met once an earlier one is. */
function isReached(target: Target | undefined, earlier: Target | undefined): boolean {
  if (target === undefined || earlier === undefined) return false;
  return Object.entries(target).every(([name, asked]) => {
    const metric = name as keyof Target;
    const before = earlier[metric];
    return asked === undefined || (before !== undefined && leftOf(metric, before) <= leftOf(metric, asked));
  });
}
