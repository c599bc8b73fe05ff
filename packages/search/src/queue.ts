import type { Model } from "@espalier/core";
import type { Recipe } from "@espalier/recipe";
import type { Measured, Task } from "./records.ts";

/** A trial as it is handed out: its recipe has seed and backend. */
export interface HandedOut {
  readonly task: Task;
  readonly recipe: Recipe;
}

/** The outcome of a trial that ran elsewhere. */
export interface TrialOutcome {
  readonly result?: Measured;
  /** The reason why there is no result. */
  readonly error?: string;
  /** Seconds that it took, there. */
  readonly seconds: number;
  /** Name of the machine. */
  readonly host?: string;
  /** The model, if it was kept; otherwise it is made again when it is needed. */
  readonly model?: Model;
}

/**
 * Runs a search's trials elsewhere, several at once: a port, which `@espalier/fleet` implements by the workers of a queue.
 */
export interface TrialQueue {
  /** How many trials may be in flight now, at least 1; the search asks again and again. */
  readonly places: number;
  /** Called once, before any trial: `search` is the hash that stands for the search in its header. */
  begin(search: string): Promise<void>;
  /** Those of the trials that were handed out for this search before, finished or not: by a process that was stopped. */
  handedOut(trials: readonly HandedOut[]): Promise<readonly HandedOut[]>;
  /**
   * Hands a trial out, unless it was before, and resolves when it has ended. Rejects if it can have no outcome, because the
   * search was cancelled or its signal aborts.
   */
  run(trial: HandedOut): Promise<TrialOutcome>;
}
