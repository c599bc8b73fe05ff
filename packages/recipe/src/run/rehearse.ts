import { meet, prune } from "@espalier/core";
import { pruningOf, targetsOf } from "../format/step-target.ts";
import type { RunRequest } from "./run.ts";
import type { Tools } from "./tools.ts";
import { unmetTarget } from "./unmet.ts";

/**
 * Plans the pruning that comes after a fit once before it, on the weights there are: a target that cannot be met is known
 * now, not after hours. Of several steps with one strategy the last, which asks for most, stands for all. What is measured
 * is left out.
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
    // A plan of a file fits the model that is there only then.
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
