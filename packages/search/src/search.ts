import { EspalierError, type Json, type Model } from "@espalier/core";
import { randomStream } from "@espalier/core/graph";
import type { WindowSet } from "@espalier/datasets";
import type { Recipe, RecipeEvent, Workbench } from "@espalier/recipe";
import { spentOf } from "./budget.ts";
import { conclude, type Rival } from "./conclude.ts";
import { type Chosen, type Findings, findingsOf, isReference, type View, viewOf } from "./findings.ts";
import { Flights } from "./flights.ts";
import { errorToAimAt } from "./front.ts";
import { checkFront, errorLimitOf, type Goal, isTimed, readGoal } from "./goal.ts";
import { nextJob } from "./halving.ts";
import { headerOf, nameOfSearch } from "./header.ts";
import { isTooLarge } from "./limit.ts";
import { proposeNext } from "./propose.ts";
import type { HandedOut, TrialQueue } from "./queue.ts";
import { type Ranking, rankingOf } from "./ranking.ts";
import {
  type CandidateRecord,
  isSame,
  modelName,
  type SearchRecord,
  type Task,
  type TrialRecord,
  taskOf,
} from "./records.ts";
import { readSettings, rungsOf, type Settings, type SettingsInput } from "./settings.ts";
import type { SearchSpace } from "./space/space.ts";
import { standardSpace } from "./space/standard.ts";
import { memoryStore, type SearchStore } from "./store.ts";
import { Work } from "./work.ts";

/** Input of a search. */
export interface SearchRequest {
  /** The trained model to prune. */
  readonly model: Model;
  readonly goal: Goal;
  /** Data, backend, strategies and, if the goal needs it, the latency meter. */
  readonly workbench: Workbench;
  /** The recipes to choose from; by default the standard space. */
  readonly space?: SearchSpace;
  /** Strategies in the standard space besides those of Espalier, by name. */
  readonly strategies?: readonly string[];
  readonly settings?: SettingsInput;
  /** Ends the search after so many fine-tunings of candidates; one whose recipe is impossible counts. */
  readonly evaluations?: number;
  /** Ends the search so that its work takes about so many seconds; comparing with `rivals` and testing come after. */
  readonly seconds?: number;
  /** Windows of the test split, requested once everything is decided; without them nothing is tested. */
  readonly test?: (model: Model) => Promise<WindowSet>;
  /** Fixed recipes to compare the chosen one with at its size; see `galleryAt`. */
  readonly rivals?: (target: { readonly bytes: number } | { readonly flops: number }) => readonly Rival[];
  /** Continues from what the store holds; in memory by default. */
  readonly store?: SearchStore;
  /**
   * Runs trials elsewhere, as many at once as it has places; by default they run here, one after the other. The order in which
   * they end then decides, and a budget in seconds is the time that passes here.
   */
  readonly queue?: TrialQueue;
  /** Recorded with the search: versions, processor. */
  readonly environment?: Json;
  readonly signal?: AbortSignal;
  /** Called with every event, and awaited: a browser can let messages in here. */
  readonly onEvent?: (event: SearchEvent) => void | Promise<void>;
}

/** An event of a search: plain data. */
export type SearchEvent =
  /** A fine-tuning starts. `done` is the share of the budget that is used up, `inFlight` how many run now, this one included. */
  | { readonly kind: "started"; readonly task: Task; readonly done: number; readonly inFlight: number }
  /** An event of the recipe that runs: of a fine-tuning, or of a proposal that is tried in one shot. */
  | { readonly kind: "run"; readonly event: RecipeEvent }
  /** Something was found, and is stored. */
  | { readonly kind: "record"; readonly record: SearchRecord };

/** The result of a search. */
export interface SearchResult extends Findings {
  readonly ended: "finished" | "aborted";
  readonly chosen?: Chosen & {
    /** The model of the best seed. */
    readonly model: Model;
  };
}

/**
 * Searches for the recipe that reaches a goal. Candidates are proposed by a Parzen estimator, filtered by their one-shot
 * error, and tuned by asynchronous successive halving; only validation data decides. The chosen recipe is repeated with
 * further seeds, and replaced by the next if it misses the goal on the mean.
 *
 * Every decision is a function of the seed and of the results so far, in the order of candidates: a search that was
 * stopped or killed continues from its store, and proposes and chooses what an undisturbed one does (times that are
 * measured, and a budget in seconds, depend on the machine). With a queue, results come in any order: trials in flight are
 * found again, but another run proposes something else.
 *
 * @throws EspalierError for a goal that contradicts itself, data that is too short, a store of another search, and measured
 * times with a queue.
 */
export async function search(request: SearchRequest): Promise<SearchResult> {
  const goal = readGoal(request.goal);
  const settings = readSettings(request.settings ?? {});
  if (request.evaluations === undefined && request.seconds === undefined)
    throw new EspalierError("search: give a budget, as a number of evaluations or in seconds.");
  if (settings.front) checkFront(goal);
  if (request.queue !== undefined && isTimed(goal))
    throw new EspalierError(
      "a queue's workers are on different machines, whose times cannot be compared: limit flops instead of latency, or search without a queue.",
    );
  const { model, workbench, strategies, store = memoryStore() } = request;
  for (const name of strategies ?? []) workbench.registry.strategy({ use: name });
  const space =
    request.space ??
    standardSpace({
      model,
      goal,
      registry: workbench.registry,
      ...(strategies && { strategies }),
      batchesPerEpoch: settings.batchesPerEpoch,
    });
  const work = new Work({
    ...{ model, goal, settings, workbench, store, signal: request.signal },
    onEvent: (event) => request.onEvent?.({ kind: "run", event }),
  });
  const running = new Search({ request, goal, settings, space, store, work });
  try {
    return await running.toTheEnd();
  } finally {
    await work.dispose();
  }
}

interface Parts {
  readonly request: SearchRequest;
  readonly goal: Goal;
  readonly settings: Settings;
  readonly space: SearchSpace;
  readonly store: SearchStore;
  readonly work: Work;
}

/** Milliseconds between two looks whether a queue has more places. */
const placesEvery = 1000;

/** A search in progress. Its state is what its store holds, and what is in flight. */
class Search {
  readonly #parts: Parts;
  readonly #rungs: readonly number[];
  readonly #flights = new Flights();
  #isExhausted = false;
  #recordedAt = performance.now();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rungs = rungsOf(parts.settings);
  }

  async toTheEnd(): Promise<SearchResult> {
    const { request, goal, work, store } = this.#parts;
    await this.#begin();
    try {
      const limit = errorLimitOf(goal);
      if (limit !== undefined && "reference" in limit && limit.reference === "tuned") await this.#trainOn();
      await this.#findAgain();
      await this.#keepBusy(async () => !this.#isOver() && this.#next());
      await conclude({
        ...{ store, work, model: request.model, rivals: request.rivals, test: request.test },
        trials: (tasks) => this.#trials(tasks),
        append: (record) => this.#append(record),
      });
      return await this.#result();
    } catch (error) {
      // Trials here end by themselves or by the signal; those that a queue has may take hours more.
      if (request.queue === undefined || request.signal?.aborted) await this.#flights.end();
      if (!request.signal?.aborted) throw error;
      const { chosen: _, unmet: __, ...findings } = findingsOf(store.records);
      return { ended: "aborted", ...findings };
    }
  }

  /** Trains the unpruned model on, as the reference of the error: with as many seeds as the choice is judged by. */
  async #trainOn(): Promise<void> {
    const { settings } = this.#parts;
    const { seed, repeats } = settings;
    const recipe = trainedOn(settings);
    const tasks = Array.from({ length: repeats }, (_, i) =>
      taskOf("dense", this.#rungs.length - 1, recipe, seed + i),
    );
    await this.#trials(tasks);
    const { trials } = this.#view;
    const outcomes = tasks.map((task) => trials.findLast((trial) => isSame(trial, task))!);
    const failed = outcomes.find((trial) => !isReference(trial));
    if (failed !== undefined)
      throw new EspalierError(`search: the unpruned model could not be trained on: ${failed.error}`);
  }

  async #result(): Promise<SearchResult> {
    const { store, work } = this.#parts;
    const { chosen, ...findings } = findingsOf(store.records);
    if (chosen === undefined) return { ended: "finished", ...findings };
    return { ended: "finished", ...findings, chosen: { ...chosen, model: await work.modelOf(chosen.best) } };
  }

  /** Stores the header; or checks that the stored one is of the same search. */
  async #begin(): Promise<void> {
    const { request, store, work } = this.#parts;
    const identity = { ...this.#parts, model: request.model };
    const name = await nameOfSearch(identity, work, store.records);
    await request.queue?.begin(name);
    this.#recordedAt = performance.now();
    if (store.records.length === 0)
      await this.#append(await headerOf(name, identity, work, request.environment));
  }

  /** Trials that a process that was stopped had handed out are in flight again, and none of them is run twice. */
  async #findAgain(): Promise<void> {
    const { queue } = this.#parts.request;
    if (queue === undefined) return;
    const { candidates, trials } = this.#view;
    const possible = candidates.filter(({ error }) => error === undefined);
    const tasks = possible.flatMap((one) => this.#rungs.map((_, rung) => this.#taskOf(one, rung)));
    const open = tasks.filter((task) => !trials.some((trial) => isSame(trial, task)));
    const found = await queue.handedOut(open.map((task) => this.#handedOut(task)));
    for (const { task } of found) await this.#start(task);
  }

  /** Begins work as long as there is a place for it, and records what has ended, until nothing is left to begin or in flight. */
  async #keepBusy(begin: () => Promise<boolean>): Promise<void> {
    const looksAgain = this.#parts.request.queue && placesEvery;
    for (;;) {
      for (const record of this.#flights.landed()) await this.#append(record);
      const isFull = this.#flights.tasks.length >= this.#places;
      if (!isFull && (await begin())) continue;
      if (this.#flights.isEmpty) return;
      await this.#flights.wait(looksAgain);
    }
  }

  /** Begins the next piece of work; false if there is none for now, or the space is exhausted. */
  async #next(): Promise<boolean> {
    const { settings, space } = this.#parts;
    const { trials, candidates, finished, ranking, top } = this.#view;
    const tasks: readonly Task[] = [...trials, ...this.#flights.tasks];
    const job = nextJob(finished, {
      rungs: top + 1,
      reduction: settings.reduction,
      ranking,
      // A good recipe that is large is tried at a smaller size instead.
      worthwhile: (of) =>
        settings.front === true ||
        !isTooLarge(candidates[of]!.point, { space, candidates, trials: finished, ranking }, 2),
      tried: (candidate, rung) => tasks.some((t) => t.of === candidate && t.rung === rung),
    });
    // A candidate that was made right before the search was stopped.
    const untried = candidates.find(
      ({ candidate, error }) => error === undefined && !tasks.some(({ of }) => of === candidate),
    );
    if (untried !== undefined) await this.#start(this.#taskOf(untried, 0));
    else if (job.does === "promote") await this.#start(this.#taskOf(candidates[job.candidate]!, job.rung));
    else {
      if (this.#isExhausted || this.#flights.isProposing) return false;
      // Not waited for: results come in meanwhile, and promote others.
      this.#flights.start("proposal", this.#propose());
    }
    return true;
  }

  #taskOf({ candidate, point }: CandidateRecord, rung: number): Task {
    const { space, settings } = this.#parts;
    return taskOf(candidate, rung, space.recipe(point, this.#rungs[rung]!), settings.seed);
  }

  async #propose(): Promise<CandidateRecord | undefined> {
    const { space, settings, work, request } = this.#parts;
    const start = performance.now();
    const { candidates, finished: trials } = this.#view;
    const number = candidates.length;
    const random = randomStream(settings.seed, `candidate ${number}`);
    const proposed = await proposeNext({
      ...{ space, candidates, trials, random },
      ranking: this.#rankingFor(random),
      rungs: this.#rungs.length,
      proposals: settings.proposals,
      oneShot: (point) => {
        request.signal?.throwIfAborted();
        return work.oneShot(space.recipe(point, this.#rungs[0]!));
      },
    });
    this.#isExhausted = proposed === undefined;
    if (proposed === undefined) return undefined;
    const seconds = (performance.now() - start) / 1000;
    return { kind: "candidate", candidate: number, ...proposed, seconds };
  }

  /** The ranking for a new candidate: that of the goal, or with an error of its own to aim at. */
  #rankingFor(random: () => number): Ranking {
    const { goal, settings } = this.#parts;
    const { finished: trials, ranking, allowed, top } = this.#view;
    if (!settings.front) return ranking;
    const aim = errorToAimAt(allowed!, trials, ranking, random);
    return { ...rankingOf(goal, aim, trials, top), order: ranking.order };
  }

  /** Runs those trials that are not stored; a reference that failed is tried again. */
  async #trials(tasks: readonly Task[]): Promise<void> {
    const counted = this.#view.trials.filter((trial) => trial.of !== "dense" || isReference(trial));
    const open = tasks.filter((task) => !counted.some((trial) => isSame(trial, task)));
    await this.#keepBusy(async () => {
      const task = open.shift();
      if (task !== undefined) await this.#start(task);
      return task !== undefined;
    });
  }

  async #start(task: Task): Promise<void> {
    const { request } = this.#parts;
    request.signal?.throwIfAborted();
    const inFlight = this.#flights.tasks.length + 1;
    const done = Math.min(1, this.#spent(this.#view.trials));
    await request.onEvent?.({ kind: "started", task, done, inFlight });
    this.#flights.start({ task }, this.#run(task));
  }

  /** Runs a trial here, or by the queue. */
  async #run(task: Task): Promise<TrialRecord> {
    const { request, work, store } = this.#parts;
    if (request.queue === undefined) return work.trial(task);
    const { model, ...outcome } = await request.queue.run(this.#handedOut(task));
    if (model !== undefined) await store.keep(modelName(task), model);
    return { kind: "trial", ...task, ...outcome };
  }

  #handedOut(task: Task): HandedOut {
    return { task, recipe: { ...task.recipe, seed: task.seed, backend: this.#parts.settings.backend } };
  }

  /** Whether the budget is used up, once everything in flight has ended. */
  #isOver(): boolean {
    return this.#spent([...this.#view.trials, ...this.#flights.tasks]) >= 1;
  }

  #spent(tasks: readonly Task[]): number {
    const { request, store } = this.#parts;
    const { records } = store;
    // A queue has one place more than trials run.
    const { queue } = request;
    return spentOf(request, {
      records,
      view: this.#view,
      tasks,
      places: queue ? Math.max(1, queue.places - 1) : 1,
    });
  }

  /** Trials that may be in flight now. */
  get #places(): number {
    return this.#parts.request.queue?.places ?? 1;
  }

  get #view(): View {
    return viewOf(this.#parts.store.records);
  }

  async #append(given: SearchRecord): Promise<void> {
    const { queue } = this.#parts.request;
    const now = performance.now();
    const elapsed = (now - this.#recordedAt) / 1000;
    this.#recordedAt = now;
    const record = queue !== undefined && "seconds" in given ? { ...given, elapsed } : given;
    await this.#parts.store.append(record);
    await this.#parts.request.onEvent?.({ kind: "record", record });
  }
}

/** The unpruned model, trained on as long as candidates are tuned, with the settings that the space has by default. */
function trainedOn({ epochs, batchesPerEpoch }: Settings): Recipe {
  const fit = {
    epochs,
    batchSize: 32,
    learningRate: 0.004,
    rateSchedule: "cosine",
    warmup: 0.05,
    patience: 0,
    ...(batchesPerEpoch !== undefined && { batchesPerEpoch }),
  } as const;
  return { format: 2, steps: [{ do: "tune", fit, distill: 0.5 }] };
}
