import { meet, prune } from "@espalier/core";
import { pruningOf, targetsOf } from "../format/step-target.ts";
import type { RunRequest } from "./request.ts";
import type { Tools } from "./tools.ts";
import { unmetTarget } from "./unmet.ts";

/**
 * Plans pruning that follows a fit once in advance, on the current weights, so that an impossible target is reported
 * immediately, not after hours. Of several steps with one strategy, only the last is tried, which asks for most.
 * Measured targets are skipped.
 */
export async function rehearse({ recipe, model: given, signal }: RunRequest, tools: Tools): Promise<void> {
  const { steps, seed = 0 } = recipe;
  const targets = targetsOf(recipe);
  const firstFit = steps.findIndex(({ do: verb }) => verb === "train" || verb === "tune");
  const last = (i: number) => {
    const use = JSON.stringify(pruningOf(steps[i]!)!.strategy);
    return !steps.some((step, k) => k > i && JSON.stringify(pruningOf(step)?.strategy) === use);
  };
  if (!steps.some((step, i) => i > firstFit && firstFit >= 0 && pruningOf(step) !== undefined)) return;
  let model = given;
  for (const [i, step] of steps.entries()) {
    const pruning = pruningOf(step);
    const target = targets[i];
    // A plan from a file only fits the model at that point of the run.
    if (step.do === "apply") return;
    if (pruning === undefined || target === undefined || target.latency !== undefined || !last(i)) continue;
    const plan = await meet(target, tools.strategy(pruning.strategy, step.seed ?? seed), {
      model,
      collect: tools.collect(model, step.seed ?? seed, () => {}),
      ...(signal && { signal }),
    });
    if (!plan.target!.met && !pruning.acceptNearest) throw unmetTarget(plan, i);
    model = prune(model, plan);
  }
}
