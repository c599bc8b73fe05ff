import { digest, EspalierError, type Json, type Model, type PruningPlan } from "@espalier/core";
import { readPlan } from "@espalier/core/pruning";
import { roundWeights, type StoredWeights } from "@espalier/formats";
import type { Recipe, Step } from "../format/recipe.ts";
import type { RecipeEvent } from "./events.ts";
import type { RunMark } from "./history.ts";
import type { KnownPlan } from "./request.ts";
import { run } from "./run.ts";
import type { Workbench } from "./workbench.ts";

/** A recipe that a part of a history stands for. */
export interface PastRun {
  readonly recipe: Recipe;
  /** Plans that the history holds in full, by step. */
  readonly plans: ReadonlyMap<number, KnownPlan>;
  /** The data it ran on, if any step needed data. */
  readonly data?: { readonly name: string; readonly checksum: string } | undefined;
}

type Entry = { readonly [key: string]: Json } & { readonly by?: RunMark };

/**
 * The runs that made a model, oldest first, from the entries of its history from `from` on. Throws an EspalierError if
 * an entry was not made by a step of a recipe.
 */
export function runsOf(model: Model, from = 0): PastRun[] {
  const marks: { readonly entry: Entry; readonly mark: RunMark }[] = [];
  model.history.slice(from).forEach((raw, i) => {
    const entry = raw as Entry;
    // Rounding is no step of a recipe; `replay` repeats it.
    if (entry.did === "round") return;
    // Entries of the same step that follow its pruning (its reconstruction) come after the entry that names the step.
    if (entry.by === undefined && entry.did === "reconstruct" && marks.length > 0) return;
    if (entry.by === undefined)
      throw new EspalierError(
        `entry ${from + i + 1} of the model's history (${String(entry.did)}) was not made by a recipe, so it cannot be replayed.`,
      );
    marks.push({ entry, mark: entry.by });
  });
  const runs = [...new Set(marks.map(({ mark }) => mark.run))];
  return runs.map((id) => {
    const own = marks.filter(({ mark }) => mark.run === id);
    const steps = own.map(({ mark }) => withoutPlan(mark.step)) as Recipe["steps"];
    const backend = own.find(({ mark }) => mark.backend !== undefined)?.mark.backend;
    const plans = own.flatMap(({ entry, mark }, i): [number, KnownPlan][] => {
      const plan = planOf(entry, mark.step);
      return plan === undefined ? [] : [[i, { plan, ...lookedAt(mark) }]];
    });
    return {
      recipe: { format: 2, steps, ...(backend !== undefined && { backend }) },
      plans: new Map(plans),
      data: own.find(({ mark }) => mark.data !== undefined)?.mark.data,
    };
  });
}

/** A search that ended with a measured plan is recorded with the plan. */
function withoutPlan(step: Step): Step {
  if (step.do !== "prune") return step;
  const { plan: _measured, ...rest } = step as Step & { plan?: unknown };
  return rest as Step;
}

function lookedAt({ backend, data }: RunMark): Pick<KnownPlan, "backend" | "data"> {
  return { ...(backend !== undefined && { backend }), ...(data !== undefined && { data }) };
}

function planOf({ did, plan }: Entry, step: Step): PruningPlan | undefined {
  if (did !== "prune") return undefined;
  const { plan: recorded } = step as { readonly plan?: unknown };
  if (recorded !== undefined) return readPlan(recorded, "history");
  return (plan as { readonly format?: unknown } | undefined)?.format === undefined
    ? undefined
    : readPlan(plan, "history");
}

/** Input of a replay. */
export interface ReplayRequest {
  /** The model whose history is replayed. */
  readonly model: Model;
  /** A model that it was made from: its history is the beginning of the other's. */
  readonly from: Model;
  readonly workbench: Workbench;
  readonly signal?: AbortSignal | undefined;
  /** Called with each event of each run. */
  readonly onEvent?: ((event: RecipeEvent, run: PastRun) => void | Promise<void>) | undefined;
}

/**
 * Makes a model again from one that it was made from, by its history alone, with the same bytes on the same backend and
 * data. Throws an EspalierError if the models have no common history, if the data differs, or if the result differs.
 */
export async function replay(request: ReplayRequest): Promise<Model> {
  const { model, from, workbench, signal, onEvent } = request;
  const shared = from.history.every((entry, i) => JSON.stringify(entry) === JSON.stringify(model.history[i]));
  if (!shared || from.history.length >= model.history.length)
    throw new EspalierError(
      `model ${model.name} was not made from this model: its history does not begin with this one's.`,
    );
  let current = rounded(from, model.history);
  for (const past of runsOf(model, from.history.length)) {
    const outcome = await run({
      recipe: past.recipe,
      model: current,
      workbench: checked(workbench, past),
      plans: past.plans,
      signal,
      onEvent: onEvent && ((event) => onEvent(event, past)),
    });
    if (outcome.ended === "aborted") throw signal!.reason;
    current = rounded(outcome.model, model.history);
  }
  if (digest(current) !== digest(model))
    throw new EspalierError(
      "the replay gave different weights. Are the backend, the kind of processor and the model those of the original run?",
    );
  return current;
}

/** The model with its weights rounded as often as a history says before it goes on to something else. */
function rounded(model: Model, history: readonly Json[]): Model {
  const { did, weights } = (history[model.history.length] ?? {}) as Entry;
  return did === "round" ? rounded(roundWeights(model, weights as StoredWeights), history) : model;
}

function checked(workbench: Workbench, { data: known, recipe }: PastRun): Workbench {
  return {
    ...workbench,
    backend: () => workbench.backend(recipe.backend),
    async data(model) {
      const data = await workbench.data(model);
      if (known !== undefined && data.checksum !== known.checksum)
        throw new EspalierError(
          `the model was made with data ${known.name} with checksum ${known.checksum.slice(0, 12)}, but this is ${data.name}, ${data.checksum.slice(0, 12)}.`,
        );
      return data;
    },
  };
}
