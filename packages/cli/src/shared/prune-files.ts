import { EspalierError } from "@espalier/core";
import { isDataFile } from "@espalier/datasets/node";
import { checkReplaceable, takeLock } from "@espalier/formats/node";
import type { Recipe, RunCheckpoint } from "@espalier/recipe";
import { RunStore } from "@espalier/recipe/node";
import type { PruneOptions } from "../commands/prune.ts";
import type { Context } from "../context.ts";
import type { NamedFiles } from "./apart.ts";

/** Storage for an unfinished run. */
export interface Unfinished {
  /** Absent if there is nothing to keep: the recipe trains nothing, or writes no model. */
  readonly store?: RunStore;
  /** The state of the run to resume. */
  readonly resume?: RunCheckpoint;
}

/**
 * Checks all files before anything long begins. Throws an EspalierError for missing files and for files that must not
 * be replaced.
 */
export async function checkFiles(
  recipe: Recipe,
  options: PruneOptions,
  context: Context,
): Promise<Unfinished> {
  const { out, planOut, recipeOut, dryRun, store, compact, force = false, resume = false } = options;
  const fits = recipe.steps.some((step) => step.do === "train" || step.do === "tune");
  if (out === undefined && planOut === undefined && !dryRun) {
    throw new EspalierError(
      "give --out FILE for the pruned model, --plan-out FILE for the plan, or --dry-run.",
    );
  }
  if (fits && out === undefined && !dryRun)
    throw new EspalierError("give --out FILE for the tuned model, or --dry-run.");
  const prunes = recipe.steps.filter((step) => step.do === "prune").length;
  if (planOut !== undefined && prunes !== 1) {
    throw new EspalierError(
      `--plan-out writes the plan of one pruning step; this recipe has ${prunes === 0 ? "none" : prunes}. Drop it.`,
    );
  }
  if (resume && (out === undefined || dryRun || !fits))
    throw new EspalierError("--resume only applies with --out, to a run that trains or fine-tunes.");
  if (store !== undefined && !compact)
    throw new EspalierError("--store cannot be combined with --no-compact.");
  if (dryRun) return {};
  for (const path of [out, planOut, recipeOut]) {
    if (path !== undefined) await checkReplaceable(context.path(path), force || resume);
  }
  return out === undefined || !fits ? {} : openStore(`${context.path(out)}.checkpoint`, options);
}

/** The files that the command writes. */
export function writtenBy({ out, planOut, recipeOut }: PruneOptions): NamedFiles {
  return { "--out": out, "--plan-out": planOut, "--recipe-out": recipeOut };
}

/** The files that the command reads. */
export function readBy({ model, data, steps }: Recipe, { recipe }: PruneOptions): NamedFiles {
  const { dataset } = data ?? {};
  const plans = steps.flatMap((step) =>
    step.do === "apply" && typeof step.plan === "string" ? [step.plan] : [],
  );
  return {
    "the model": typeof model === "string" ? model : model?.weights,
    "the data": dataset !== undefined && isDataFile(dataset) ? dataset : undefined,
    "--recipe": recipe,
    ...Object.fromEntries(plans.map((plan, i) => [i === 0 ? "a plan" : `plan ${i + 1}`, plan])),
  };
}

/** Keeps other commands from writing the same model and checkpoint; gives the function that ends that. */
export async function lockOut(
  { out, dryRun, force = false, resume = false }: PruneOptions,
  context: Context,
): Promise<() => Promise<void>> {
  if (out === undefined || dryRun) return async () => {};
  const path = context.path(out);
  await checkReplaceable(path, force || resume);
  return takeLock(`${path}.lock`, out);
}

async function openStore(folder: string, { resume, force }: PruneOptions): Promise<Unfinished> {
  const store = new RunStore(folder);
  if (force && !resume) {
    await store.clear();
    return { store };
  }
  const stopped = await store.load();
  if (resume) {
    if (stopped === undefined)
      throw new EspalierError(`${folder}: there is no unfinished run to resume. Drop --resume.`);
    return { store, resume: stopped };
  }
  if (stopped === undefined) return { store };
  throw new EspalierError(
    `${folder} exists: an earlier run was stopped. Give --resume to continue it, or --force to start again.`,
  );
}
