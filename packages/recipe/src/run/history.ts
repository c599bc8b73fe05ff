import type { Json, Model, PruningPlan } from "@espalier/core";
import type { Step } from "../format/recipe.ts";

/** The step and run that made a history entry. */
export interface RunMark {
  /** Identifies the model that the run started from: all entries of one run share it. */
  readonly run: string;
  readonly backend?: string;
  readonly data?: { readonly name: string; readonly checksum: string };
  /** The step, with its full target and its seed. */
  readonly step: Step;
}

/** The model with its first new history entry marked with its step; `before` is the previous number of entries. */
export function marked(model: Model, before: number, mark: RunMark): Model {
  const entry = model.history[before];
  if (entry === undefined) return model;
  const history = [...model.history];
  history[before] = { ...(entry as { [key: string]: Json }), by: mark as unknown as Json };
  return { ...model, history };
}

/** Whether the history entry holds the whole plan, in the form that `prune` writes. */
export function isKeptWhole({ steps }: PruningPlan): boolean {
  return steps.every((step) => step.do === "remove");
}
