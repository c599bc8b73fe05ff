import type { StrategySpec } from "@espalier/core";
import type { DrawnModel, Shorthand } from "@espalier/recipe";
import type { FitOptions, GradualPruning, ReconstructSettings } from "@espalier/training";
import type { PruneOptions } from "../commands/prune.ts";

/** What is to be done: a command's options, over those of its recipe. */
export interface PruneJob extends PruneOptions {
  /** The recipe's strategies, where the command line names none. */
  readonly strategies?: readonly StrategySpec[];
  /** Options of several strategies together. */
  readonly combined?: Readonly<Record<string, unknown>>;
  /** The recipe's model: a file's path, or what is drawn. */
  readonly source?: string | DrawnModel;
  /** How a drawn model is trained first. */
  readonly training?: FitOptions;
  /** The recipe's settings of fine-tuning; options of the command line go before them. */
  readonly tuning?: FitOptions;
  /** How layers are refitted; absent where they are not. */
  readonly reconstruction?: ReconstructSettings;
  /** How masks tighten while fine-tuning; absent where pruning comes first. */
  readonly gradually?: Pick<GradualPruning, "until" | "every">;
}

const targets = ["sparsity", "parameters", "flops", "bytes", "latency"] as const;

/**
 * A command's options over a recipe's, where there is one. An option takes the place of the recipe's own; three take more:
 * a target that of all the recipe's targets, `--strategy` that of its strategies, `--dataset` that of all it says of data.
 */
export function jobOf(
  recipe: Shorthand | undefined,
  given: Partial<PruneOptions>,
  defaults: PruneOptions,
): PruneJob {
  const said = recipe === undefined ? {} : saidBy(recipe, given);
  const job = Object.entries({ ...said, ...given }).filter(([, value]) => value !== undefined);
  const { reconstruction, gradually, ...rest } = { ...defaults, ...Object.fromEntries(job) } as PruneJob;
  const refits = reconstruction ?? (rest.reconstruct ? {} : undefined);
  const tightens = gradually ?? (rest.gradual ? {} : undefined);
  return {
    ...rest,
    ...(refits === undefined ? {} : { reconstruction: refits }),
    ...(tightens === undefined ? {} : { gradually: tightens }),
  };
}

/** A recipe as options, without what the command line takes the place of. */
function saidBy(recipe: Shorthand, given: Partial<PruneOptions>) {
  const { target, latency = {}, schedule = {}, fineTuning, strategies, combined, data = {} } = recipe;
  const { model, training, reconstruction, seed, backend, acceptNearest } = recipe;
  const { distill, ...tuning } = fineTuning ?? {};
  const { gradual: gradually, ...stepped } = schedule;
  const retargeted = targets.some((metric) => given[metric] !== undefined);
  const timed = (retargeted ? given : target).latency !== undefined;
  return {
    ...(given.dataset === undefined ? data : {}),
    ...(retargeted ? {} : target),
    ...(timed ? { latencyBackend: latency.backend, batch: latency.batch, latencyTime: latency.time } : {}),
    ...(given.strategy === undefined ? { strategies, combined } : {}),
    ...stepped,
    ...(fineTuning === undefined ? {} : { fineTune: fineTuning.epochs, tuning, distill }),
    source: model,
    training,
    reconstruction,
    gradually,
    seed,
    backend,
    acceptNearest,
  };
}
