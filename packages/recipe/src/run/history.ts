import type { Json, Model, PruningPlan } from "@espalier/core";
import type { Step } from "../format/recipe.ts";

/** How a history entry says which step of which run made it. */
export interface RunMark {
  /** Identifies the model the run started from: entries of one run have the same. */
  readonly run: string;
  readonly backend?: string;
  readonly data?: { readonly name: string; readonly checksum: string };
  /** The step, its target in full and its seed named. */
  readonly step: Step;
}

/** A model whose first new history entry says by which step it was made; `before` is how many entries there were. */
export function marked(model: Model, before: number, mark: RunMark): Model {
  const entry = model.history[before];
  if (entry === undefined) return model;
  const history = [...model.history];
  history[before] = { ...(entry as { [key: string]: Json }), by: mark as unknown as Json };
  return { ...model, history };
}

/** Whether the history entry of a plan holds all of it, as `prune` writes it. */
export function isKeptWhole({ steps }: PruningPlan): boolean {
  return steps.every((step) => step.do === "remove");
}
