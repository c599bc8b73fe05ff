import { account, type Backend, digest, type Model } from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import { type Recipe, run, type Workbench } from "@espalier/recipe";
import { evaluate } from "@espalier/training";
import type { Measured } from "./records.ts";

/** Tools to measure a model with. */
interface Measuring {
  readonly backend: Backend;
  readonly windows: WindowSet;
  readonly signal?: AbortSignal | undefined;
}

/** Mean squared and absolute error over windows. */
export async function errorsOver(
  model: Model,
  { backend, windows, signal }: Measuring,
): Promise<{ mse: number; mae: number }> {
  const { mse, mae } = await evaluate({ model, backend, windows, ...(signal && { signal }) });
  return { mse, mae };
}

/** Errors over the validation windows, and sizes. */
export async function measured(model: Model, measuring: Measuring): Promise<Measured> {
  const validation = await errorsOver(model, measuring);
  const { bytes, flops } = account(model);
  const { dense } = model;
  return {
    validation,
    bytes: bytes.stored / dense.bytes.dense,
    flops: flops.effective / dense.flops.effective,
    digest: digest(model),
  };
}

/** A trial apart from its search. */
export interface TrialRequest {
  /** The model to prune. */
  readonly model: Model;
  /** The recipe with its seed and backend. */
  readonly recipe: Recipe;
  readonly workbench: Workbench;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs and measures a trial that a search has handed out: the result is the one that the search itself would have. Throws an
 * EspalierError if the recipe cannot be carried out, and the signal's reason if it aborts.
 */
export async function runTrial({
  model,
  recipe,
  workbench,
  signal,
}: TrialRequest): Promise<{ readonly model: Model; readonly result: Measured }> {
  const { validation: windows } = await workbench.data(model);
  const outcome = await run({ recipe, model, workbench, signal });
  if (outcome.ended === "aborted") throw signal!.reason;
  const backend = await workbench.backend(recipe.backend);
  return { model: outcome.model, result: await measured(outcome.model, { backend, windows, signal }) };
}
