import {
  type Collect,
  type LatencyMeter,
  leftOf,
  type Model,
  meet,
  type PruningPlan,
  prune,
  readTarget,
  type Strategy,
  type Target,
  type Tried,
} from "@espalier/core";
import { collector } from "./collect.ts";
import { type Curve, leftAt } from "./curve.ts";
import { type FitRequest, type FitResult, fit } from "./fit.ts";
import type { FitOptions } from "./options.ts";
import { pruneAndReconstruct, type ReconstructSettings } from "./prune-and-reconstruct.ts";

/** One stage of pruning: what removes, and how much. Targets are measured against the model before any pruning. */
export interface Stage {
  readonly strategy: Strategy;
  readonly target: Target;
  /** Settings of the fit after it that differ from the request's: short fits between the steps of gradual pruning. */
  readonly settings?: Partial<FitOptions>;
}

/** What is pruned in which stages, and how it is tuned. */
export interface PruneAndTuneRequest extends Omit<FitRequest, "model" | "resume" | "onCheckpoint"> {
  readonly model: Model;
  /** In order; each plans on the model its predecessor left. */
  readonly stages: readonly Stage[];
  /** Fine-tune after each stage, or only after the last; `epochs: 0` in `settings` for not at all. */
  readonly tune?: "each" | "last";
  /** Calibration for criteria that look at data; by default batches of the training windows. */
  readonly collect?: Collect;
  /** What measures, for targets that name latency: against the model before the first stage. */
  readonly latency?: LatencyMeter;
  /** Called for each amount that a stage's search tries. */
  readonly onTry?: (tried: Tried, stage: number) => void;
  /** Refits every pruned model to the outputs of the one it was pruned from, before any fine-tuning. */
  readonly reconstruct?: ReconstructSettings;
  /** Called when a stage, from 0, has its plan and before it is carried out. */
  readonly onPlan?: (plan: PruningPlan, stage: number) => void;
}

/** What one stage did. */
export interface StageResult {
  readonly plan: PruningPlan;
  /** Right after pruning, and reconstruction where it was asked for. */
  readonly pruned: Model;
  /** Absent where the stage was not followed by fine-tuning. */
  readonly tuned?: FitResult;
}

/** What a schedule led to. */
export interface PruneAndTuneResult {
  readonly model: Model;
  readonly stages: readonly StageResult[];
}

/**
 * Prunes in stages, with fine-tuning in between: one stage is one-shot pruning, several strategies are combined pruning,
 * several targets of one strategy are iterative pruning. Aborting ends it after what runs, with what is done so far.
 */
export async function pruneAndTune(request: PruneAndTuneRequest): Promise<PruneAndTuneResult> {
  const { stages, tune = "last", signal, backend, train, latency, onTry } = request;
  const collect =
    request.collect ?? collector({ backend, windows: train, ...(signal === undefined ? {} : { signal }) });
  const results: StageResult[] = [];
  let { model } = request;
  for (const [i, { strategy, target }] of stages.entries()) {
    if (signal?.aborted) break;
    const plan = await meet(target, strategy, {
      model,
      collect,
      ...(latency === undefined ? {} : { latency }),
      ...(signal === undefined ? {} : { signal }),
      ...(onTry === undefined ? {} : { onTry: (tried) => onTry(tried, i) }),
    }).catch((error: unknown) => {
      if (signal?.aborted) return undefined;
      throw error;
    });
    if (plan === undefined) break;
    request.onPlan?.(plan, i);
    const pruned = await carryOut(request, model, plan);
    if (pruned === undefined) break;
    model = pruned;
    if (tune === "last" && i < stages.length - 1) {
      results.push({ plan, pruned });
      continue;
    }
    const tuned = await fit({ ...request, model, settings: settingsOf(request, i) });
    model = tuned.model;
    results.push({ plan, pruned, tuned });
  }
  return { model, stages: results };
}

/** The pruned model; undefined where the signal stopped its reconstruction. */
async function carryOut(
  request: PruneAndTuneRequest,
  model: Model,
  plan: PruningPlan,
): Promise<Model | undefined> {
  const { reconstruct: settings, backend, train: windows, data, signal } = request;
  if (settings === undefined) return prune(model, plan);
  const context = { ...(data && { data }), ...(signal && { signal }) };
  return pruneAndReconstruct({ model, plan, backend, windows, settings, ...context }).then(
    (reconstruction) => reconstruction.model,
    (error: unknown) => {
      if (signal?.aborted) return undefined;
      throw error;
    },
  );
}

/** Every stage shuffles anew, so that short fits do not see the same batches again. */
function settingsOf({ settings = {}, stages }: PruneAndTuneRequest, stage: number): FitOptions {
  const { seed = 0 } = settings;
  return { ...settings, seed: seed + stage, ...stages[stage]!.settings };
}

/** Targets of iterative and gradual pruning, the last of them the one given. */
export function iterativeTargets(target: Target, steps: number, curve: Curve = "exponential"): Target[] {
  const goals = readTarget(target);
  return Array.from({ length: steps }, (_, i) => {
    const shares = goals.map(({ metric, asked }) => {
      const left = leftOf(metric, asked);
      const share = leftAt(curve, left, (i + 1) / steps);
      return [metric, leftOf(metric, share)];
    });
    return Object.fromEntries(shares) as Target;
  });
}
