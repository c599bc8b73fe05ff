import type { Model, PruningPlan } from "@espalier/core";
import type { Recipe } from "../format/recipe.ts";
import type { RunCheckpoint } from "./checkpoint.ts";
import type { RecipeEvent, StepOutcome } from "./events.ts";
import type { RunMark } from "./history.ts";
import type { Workbench } from "./workbench.ts";

/** Input of a run. */
export interface RunRequest {
  readonly recipe: Recipe;
  /** The model that the recipe starts from; loading or drawing `recipe.model` is up to the caller. */
  readonly model: Model;
  readonly workbench: Workbench;
  readonly signal?: AbortSignal | undefined;
  /** Called with every event; epochs wait for it. */
  readonly onEvent?: ((event: RecipeEvent) => void | Promise<void>) | undefined;
  /** Called with the state needed to continue, after every epoch and every step. */
  readonly onCheckpoint?: ((checkpoint: RunCheckpoint) => void | Promise<void>) | undefined;
  /** Continues from a checkpoint of the same recipe and model. */
  readonly resume?: RunCheckpoint | undefined;
  /** Plans to carry out by step, instead of searching for them; used to replay a history. */
  readonly plans?: ReadonlyMap<number, KnownPlan> | undefined;
}

/** A plan that a step of an earlier run made, and what its criterion used. */
export interface KnownPlan extends Pick<RunMark, "backend" | "data"> {
  readonly plan: PruningPlan;
}

/** The result of a run. */
export interface Outcome {
  /** The model before anything was pruned: the given one, trained if the recipe trains it. */
  readonly dense: Model;
  /** The model after the last step that pruned, before it was tuned; absent if no step pruned at once. */
  readonly pruned?: Model | undefined;
  /** The model after all steps; for an aborted run, the best so far. */
  readonly model: Model;
  /** The steps that ran, in order; the last may have been stopped. */
  readonly steps: readonly StepOutcome[];
  readonly ended: "finished" | "aborted";
}
