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
