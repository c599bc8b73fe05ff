import { EspalierError } from "@espalier/core";
import { checkReplaceable } from "@espalier/formats/node";
import type { Context } from "../context.ts";
import type { PruneJob } from "./prune-job.ts";
import { chosenTarget } from "./strategies.ts";

/** Whether pruning goes in stages with fine-tuning after each. */
export function inStages({ steps, tune }: PruneJob): boolean {
  return steps !== undefined || tune === "each";
}

/** Before anything long begins: options that contradict each other, and files that may not be replaced. */
export async function checkPruneOptions(options: PruneJob, context: Context): Promise<void> {
  const mistake = mistakeIn(options);
  if (mistake !== undefined) throw new EspalierError(mistake);
  const { plan, dryRun, out, planOut, recipeOut, force = false } = options;
  if (plan === undefined) chosenTarget(options);
  if (dryRun) return;
  for (const path of [out, planOut, recipeOut]) {
    if (path !== undefined) await checkReplaceable(context.path(path), force);
  }
}

function mistakeIn(options: PruneJob): string | undefined {
  const { plan, strategy, recipe, recipeOut, out, planOut, dryRun, fineTune, steps, tune, curve, distill } =
    options;
  if (out === undefined && planOut === undefined && !dryRun) {
    return "give --out FILE for the pruned model, --plan-out FILE for the plan, or --dry-run.";
  }
  if (plan !== undefined && (recipe !== undefined || recipeOut !== undefined)) {
    return "--plan says all that is done: leave --recipe and --recipe-out out, or the plan.";
  }
  if (plan !== undefined && strategy !== undefined) {
    return "--plan says what to prune: leave --strategy out, or the plan.";
  }
  if (fineTune !== undefined && out === undefined && !dryRun) {
    return "--fine-tune needs --out FILE for the tuned model.";
  }
  if (fineTune === undefined) {
    const gradual = options.gradually;
    const needs = { "--steps": steps, "--tune": tune, "--gradual": gradual, "--distill": distill };
    const given = Object.entries(needs).find(([, value]) => value !== undefined);
    if (given !== undefined) return `${given[0]} needs --fine-tune EPOCHS.`;
  }
  if (options.latency === undefined) {
    const { latencyBackend, batch, latencyTime } = options;
    const timing = { "--latency-backend": latencyBackend, "--batch": batch, "--latency-time": latencyTime };
    const given = Object.entries(timing);
    const idle = given.find(([, value]) => value !== undefined);
    if (idle !== undefined)
      return `${idle[0]} is of a measured target: give --latency, too, or leave it out.`;
  }
  if (curve !== undefined && steps === undefined && options.gradually === undefined)
    return "--curve needs --steps N, or --gradual.";
  if (options.gradually !== undefined) {
    const { latency, reconstruction } = options;
    const others = {
      "--steps": steps,
      "--tune": tune,
      "--latency": latency,
      "--reconstruct": reconstruction,
    };
    const given = Object.entries({ ...others, "--plan": plan, "--plan-out": planOut });
    const other = given.find(([, value]) => value !== undefined);
    if (other !== undefined)
      return `${other[0]} and --gradual exclude each other: masks tighten within one fit.`;
  }
  if (steps !== undefined && tune === "each") return "give --steps, or --tune each.";
  if (inStages(options) && (planOut !== undefined || plan !== undefined)) {
    return "a plan is of one stage: leave out --plan and --plan-out, or --steps and --tune each.";
  }
  return undefined;
}
