import { type Backend, EspalierError, type Model } from "@espalier/core";
import { canonicalJson } from "@espalier/core/documents";
import { spacedWindows, type WindowSet } from "@espalier/datasets";
import {
  continueWith,
  type Outcome,
  type Recipe,
  type RecipeEvent,
  type RunCheckpoint,
  type RunData,
  type RunMeter,
  run,
  runIdentity,
  type Step,
  type Workbench,
} from "@espalier/recipe";
import { type Goal, isTimed } from "./goal.ts";
import { type Measured, modelName, type Task, type TrialRecord } from "./records.ts";
import { errorsOver, measured } from "./run-trial.ts";
import type { Settings } from "./settings.ts";
import type { SearchStore } from "./store.ts";

/** Tools to run trials with. */
export interface WorkParts {
  readonly model: Model;
  readonly goal: Goal;
  readonly settings: Settings;
  readonly workbench: Workbench;
  readonly store: SearchStore;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent: (event: RecipeEvent) => void | Promise<void>;
}

/** Pruned models that are remembered: for the next rung, and for recipes that begin with the same steps. */
const remembered = 64;

/** Runs recipes and measures models. Data, backend and meter are opened once, when they are first needed. */
export class Work {
  readonly #parts: WorkParts;
  readonly #workbench: Workbench;
  readonly #pruned = new Map<string, { readonly checkpoint: RunCheckpoint; readonly recipe: Recipe }>();
  #data: Promise<RunData> | undefined;
  #backend: Promise<Backend> | undefined;
  #meter: Promise<RunMeter> | undefined;

  constructor(parts: WorkParts) {
    this.#parts = parts;
    this.#workbench = { ...parts.workbench, data: () => this.data(), backend: () => this.#opened() };
  }

  data(): Promise<RunData> {
    this.#data ??= this.#parts.workbench.data(this.#parts.model);
    return this.#data;
  }

  /** Runs and measures a trial. A recipe that cannot be carried out has an error for an outcome. */
  async trial(task: Task): Promise<TrialRecord> {
    const { store, signal } = this.#parts;
    const start = performance.now();
    const outcome = await settled(async () => {
      const { model } = await this.#run({ ...task.recipe, seed: task.seed }, true);
      await store.keep(modelName(task), model);
      return { result: await this.measure(model) };
    }, signal);
    await store.unfinished?.clear();
    return { kind: "trial", ...task, ...outcome, seconds: (performance.now() - start) / 1000 };
  }

  /** The validation error of a recipe without its fine-tuning: what a tuning would mask is masked at once. */
  async oneShot(recipe: Recipe): Promise<{ oneShot: number } | { error: string }> {
    const { settings, signal } = this.#parts;
    return settled(async () => {
      const { model } = await this.#run({ ...withoutTuning(recipe), seed: settings.seed }, false);
      const { validation } = await this.data();
      const measuring = await this.#measuring(spacedWindows(validation, settings.windows));
      return { oneShot: (await errorsOver(model, measuring)).mse };
    }, signal);
  }

  /** The model of a trial: as it was kept, or made again. */
  async modelOf(task: Task): Promise<Model> {
    const { store } = this.#parts;
    const kept = await store.model(modelName(task));
    return kept ?? (await this.#run({ ...task.recipe, seed: task.seed }, false)).model;
  }

  /** Errors over the validation windows, sizes, and the time if the goal needs it. */
  async measure(model: Model): Promise<Measured> {
    const { goal } = this.#parts;
    const { validation } = await this.data();
    const { digest, ...rest } = await measured(model, await this.#measuring(validation));
    return { ...rest, ...(isTimed(goal) && { latency: await this.#timeOf(model) }), digest };
  }

  /** Errors over the windows of the test split. */
  async test(model: Model, windows: WindowSet): Promise<{ mse: number; mae: number }> {
    return errorsOver(model, await this.#measuring(windows));
  }

  async dispose(): Promise<void> {
    (await this.#meter?.catch(() => undefined))?.dispose?.();
  }

  #opened(): Promise<Backend> {
    this.#backend ??= this.#parts.workbench.backend(this.#parts.settings.backend);
    return this.#backend;
  }

  async #timeOf(model: Model): Promise<{ share: number; spread: number }> {
    const { workbench, goal, model: dense } = this.#parts;
    if (workbench.latency === undefined) throw new EspalierError("latency cannot be measured here.");
    this.#meter ??= workbench.latency(dense, goal.timing ?? {});
    const { share, spread } = await (await this.#meter).measure(model);
    return { share, spread };
  }

  async #measuring(windows: WindowSet) {
    return { backend: await this.#opened(), windows, signal: this.#parts.signal };
  }

  /** Runs a recipe, from the pruned model of an earlier run with the same first steps. Throws the signal's reason if it aborts. */
  async #run(given: Recipe, keeps: boolean): Promise<Outcome> {
    const { model, settings, store, signal, onEvent } = this.#parts;
    const recipe = { ...given, backend: settings.backend };
    const outcome = await run({
      recipe,
      model,
      workbench: this.#workbench,
      signal,
      onEvent,
      resume: await this.#resumable(recipe, keeps),
      onCheckpoint: async (checkpoint) => {
        const { length } = checkpoint.outcomes;
        if (checkpoint.training === undefined && length <= stepsBeforeTuning(recipe))
          this.#remember(beginning(recipe, length), { checkpoint, recipe });
        if (keeps) await store.unfinished?.save(checkpoint);
      },
    });
    if (outcome.ended === "aborted") throw signal!.reason;
    return outcome;
  }

  async #resumable(recipe: Recipe, keeps: boolean): Promise<RunCheckpoint | undefined> {
    const { model, store } = this.#parts;
    // If it is damaged, the trial begins again, with the same result.
    const stopped = keeps ? await store.unfinished?.load().catch(unlessDamaged) : undefined;
    if (stopped?.run === runIdentity(recipe, model)) return stopped;
    for (let steps = stepsBeforeTuning(recipe); steps > 0; steps--) {
      const known = this.#pruned.get(beginning(recipe, steps));
      if (known === undefined) continue;
      this.#remember(beginning(recipe, steps), known);
      return continueWith(known.checkpoint, known.recipe, recipe, model);
    }
    return undefined;
  }

  #remember(key: string, pruned: { checkpoint: RunCheckpoint; recipe: Recipe }): void {
    this.#pruned.delete(key);
    this.#pruned.set(key, pruned);
    const [oldest] = this.#pruned.keys();
    if (this.#pruned.size > remembered) this.#pruned.delete(oldest!);
  }
}

function stepsBeforeTuning({ steps }: Recipe): number {
  const tuned = steps.findIndex(({ do: verb }) => verb === "tune" || verb === "train");
  return tuned < 0 ? steps.length : tuned;
}

/** Identifies the first steps of a recipe. */
function beginning({ steps, seed = 0 }: Recipe, count: number): string {
  return canonicalJson([steps.slice(0, count), seed] as never);
}

/** Batches for refitting a layer after a one-shot mask: refitting with as many as a recipe does takes as long as an epoch. */
const batches = 4;

/** Steps that prune, with the masks of tunings as steps of their own. */
function withoutTuning({ steps, ...rest }: Recipe): Recipe {
  const pruning = steps.flatMap((step): Step[] => {
    if (step.do === "prune" || step.do === "apply") return [step];
    if (step.do === "train" || step.masks === undefined) return [];
    const { strategy, target, acceptNearest } = step.masks;
    return [
      {
        do: "prune",
        strategy,
        ...(target && { target }),
        ...(acceptNearest && { acceptNearest }),
        reconstruct: { batches },
      },
    ];
  });
  return { ...rest, steps: pruning as Recipe["steps"] };
}

function unlessDamaged(error: unknown): undefined {
  if (!(error instanceof EspalierError)) throw error;
}

/** Returns the result of the work, or the message of its EspalierError. */
async function settled<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | { error: string }> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EspalierError && !signal?.aborted) return { error: error.message };
    throw error;
  }
}
