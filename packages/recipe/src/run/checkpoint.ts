import { digest, EspalierError, type Json, type Model } from "@espalier/core";
import { canonicalJson, sha256 } from "@espalier/core/documents";
import type { TrainingCheckpoint } from "@espalier/training";
import type { Recipe } from "../format/recipe.ts";
import type { StepOutcome } from "./events.ts";

/** The state of a run after an epoch or a step: everything needed to continue. */
export interface RunCheckpoint {
  /** Identifies the recipe and the model it started from. */
  readonly run: string;
  /** Number of finished steps. */
  readonly outcomes: readonly StepOutcome[];
  /** The model before anything was pruned. */
  readonly dense: Model;
  /** The model after the last step that pruned, before it was tuned. */
  readonly pruned?: Model | undefined;
  /** The model after the finished steps. */
  readonly model: Model;
  /** State of the current fit. */
  readonly training?: TrainingCheckpoint | undefined;
}

/** Identifies a run by everything that its result depends on, except the data (a fit's checkpoint knows it). */
export function runIdentity({ steps, target, seed = 0, backend = "wasm" }: Recipe, model: Model): string {
  const text = canonicalJson([steps, target ?? null, seed, backend, digest(model)] as unknown as Json);
  return sha256(new TextEncoder().encode(text)).slice(0, 24);
}

/** Throws an EspalierError unless a run can continue from a checkpoint. */
export function checkResumable(checkpoint: RunCheckpoint, run: string): void {
  if (checkpoint.run !== run)
    throw new EspalierError(
      "the unfinished run used another recipe, or started from another model. Use the same ones, or start again.",
    );
}

/**
 * The state of a run between two steps, for another recipe that begins with the same steps: it continues from there and
 * has the same result as if it had run them itself. Throws an EspalierError if the finished steps, or what they depend
 * on, differ.
 */
export function continueWith(
  checkpoint: RunCheckpoint,
  from: Recipe,
  to: Recipe,
  model: Model,
): RunCheckpoint {
  checkResumable(checkpoint, runIdentity(from, model));
  const finished = ({ steps, ...rest }: Recipe) =>
    runIdentity({ ...rest, steps: steps.slice(0, checkpoint.outcomes.length) as Recipe["steps"] }, model);
  if (checkpoint.training !== undefined || finished(from) !== finished(to))
    throw new EspalierError("the recipes differ in a step that the unfinished run has begun.");
  return { ...checkpoint, run: runIdentity(to, model) };
}
