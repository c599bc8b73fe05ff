import { account, digest, EspalierError, type Json, type Model } from "@espalier/core";
import { canonicalJson, sha256 } from "@espalier/core/documents";
import { randomStream } from "@espalier/core/graph";
import type { WindowSet } from "@espalier/datasets";
import type { Recipe, RecipeEvent, Workbench } from "@espalier/recipe";
import { conclude, type Rival } from "./conclude.ts";
import { type Chosen, type Findings, findingsOf, type View, viewOf } from "./findings.ts";
import { errorLimitOf, type Goal, readGoal } from "./goal.ts";
import { nextJob } from "./halving.ts";
import { isTooLarge } from "./limit.ts";
import { proposeNext } from "./propose.ts";
import {
  type CandidateRecord,
  type HeaderRecord,
  isSame,
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
  /** Recorded with the search: versions, processor. */
  readonly environment?: Json;
  readonly signal?: AbortSignal;
  /** Called with every event, and awaited: a browser can let messages in here. */
  readonly onEvent?: (event: SearchEvent) => void | Promise<void>;
}

/** An event of a search: plain data. */
export type SearchEvent =
  /** A fine-tuning starts. `done` is the share of the budget that is used up. */
  | { readonly kind: "started"; readonly task: Task; readonly done: number }
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
 * measured, and a budget in seconds, depend on the machine).
 *
 * @throws EspalierError for a goal that contradicts itself, data that is too short, and a store of another search.
 */
export async function search(request: SearchRequest): Promise<SearchResult> {
  const goal = readGoal(request.goal);
  const settings = readSettings(request.settings ?? {});
  if (request.evaluations === undefined && request.seconds === undefined)
    throw new EspalierError("search: give a budget, as a number of evaluations or in seconds.");
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

/** Windows of validation below which an error decides nothing. */
const fewestWindows = 30;

/** A search in progress. Its state is what its store holds. */
class Search {
  readonly #parts: Parts;
  readonly #rungs: readonly number[];

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#rungs = rungsOf(parts.settings);
  }

  async toTheEnd(): Promise<SearchResult> {
    const { request, goal, settings, work, store } = this.#parts;
    await this.#begin();
    try {
      const limit = errorLimitOf(goal);
      if (limit !== undefined && "reference" in limit && limit.reference === "tuned")
        await this.#trial(taskOf("dense", this.#rungs.length - 1, trainedOn(settings), settings.seed));
      while (!this.#isOver() && (await this.#next()));
      await conclude({
        ...{ store, work, model: request.model, rivals: request.rivals, test: request.test },
        trial: (task) => this.#trial(task),
        append: (record) => this.#append(record),
      });
      return await this.#result();
    } catch (error) {
      if (!request.signal?.aborted) throw error;
      const { chosen: _, unmet: __, ...findings } = findingsOf(store.records);
      return { ended: "aborted", ...findings };
    }
  }

  async #result(): Promise<SearchResult> {
    const { store, work } = this.#parts;
    const { chosen, ...findings } = findingsOf(store.records);
    if (chosen === undefined) return { ended: "finished", ...findings };
    return { ended: "finished", ...findings, chosen: { ...chosen, model: await work.modelOf(chosen.best) } };
  }

  /** Stores the header; or checks that the stored one is of the same search. */
  async #begin(): Promise<void> {
    const { request, goal, settings, space, store, work } = this.#parts;
    const { model } = request;
    const { validation, name, checksum } = await work.data();
    if (validation.count < fewestWindows)
      throw new EspalierError(
        `data ${name}: ${validation.count} windows to validate on are too few to choose by; at least ${fewestWindows} are needed. Give more rows, or a larger share for validation.`,
      );
    const { parameters, seeds } = space;
    const identity = { goal, settings, parameters, seeds: seeds ?? [], model: digest(model), data: checksum };
    const hash = sha256(new TextEncoder().encode(canonicalJson(JSON.parse(JSON.stringify(identity))))).slice(
      0,
      24,
    );
    const [known] = store.records;
    if (known !== undefined) {
      if (known.kind === "search" && known.search === hash) return;
      throw new EspalierError(
        "the search that is kept there has another goal, model, data, space or settings. Choose another folder, or start again.",
      );
    }
    const { bytes, flops } = account(model);
    const header: HeaderRecord = {
      format: 1,
      kind: "search",
      search: hash,
      goal,
      settings,
      model: { name: model.name, digest: digest(model), bytes: bytes.stored, flops: flops.effective },
      data: { name, checksum },
      dense: await work.measure(model),
      ...(request.environment !== undefined && { environment: request.environment }),
    };
    await this.#append(header);
  }

  /** Does the next piece of work; false if the space is exhausted. */
  async #next(): Promise<boolean> {
    const { settings, space } = this.#parts;
    const { trials: all, candidates, finished: trials, ranking, top } = this.#view;
    const job = nextJob(trials, {
      rungs: top + 1,
      reduction: settings.reduction,
      ranking,
      // A good recipe that is large is tried at a smaller size instead.
      worthwhile: (of) => !isTooLarge(candidates[of]!.point, { space, candidates, trials, ranking }, 2),
      tried: (candidate, rung) => all.some((t) => t.of === candidate && t.rung === rung),
    });
    // A candidate that was made right before the search was stopped.
    const untried = candidates.find(
      ({ candidate, error }) => error === undefined && !all.some(({ of }) => of === candidate),
    );
    if (untried !== undefined) await this.#tune(untried, 0);
    else if (job.does === "promote") await this.#tune(candidates[job.candidate]!, job.rung);
    else {
      const candidate = await this.#propose();
      if (candidate === undefined) return false;
      await this.#append(candidate);
    }
    return true;
  }

  async #tune({ candidate, point }: CandidateRecord, rung: number): Promise<void> {
    const recipe = this.#parts.space.recipe(point, this.#rungs[rung]!);
    await this.#trial(taskOf(candidate, rung, recipe, this.#parts.settings.seed));
  }

  async #propose(): Promise<CandidateRecord | undefined> {
    const { space, settings, work, request } = this.#parts;
    const start = performance.now();
    const { candidates, finished: trials, ranking } = this.#view;
    const number = candidates.length;
    const proposed = await proposeNext({
      ...{ space, candidates, trials, ranking },
      rungs: this.#rungs.length,
      proposals: settings.proposals,
      random: randomStream(settings.seed, `candidate ${number}`),
      oneShot: (point) => {
        request.signal?.throwIfAborted();
        return work.oneShot(space.recipe(point, this.#rungs[0]!));
      },
    });
    if (proposed === undefined) return undefined;
    const seconds = (performance.now() - start) / 1000;
    return { kind: "candidate", candidate: number, ...proposed, seconds };
  }

  /** Runs a trial, or returns the stored one. */
  async #trial(task: Task): Promise<TrialRecord> {
    const { request, work } = this.#parts;
    const known = this.#view.trials.find((trial) => isSame(trial, task));
    if (known !== undefined) return known;
    request.signal?.throwIfAborted();
    await request.onEvent?.({ kind: "started", task, done: Math.min(1, this.#spent()) });
    const record = await work.trial(task);
    await this.#append(record);
    return record;
  }

  /** Whether the budget is used up. */
  #isOver(): boolean {
    return this.#spent() >= 1;
  }

  /** The share of the budget that is used up. What repeating the chosen recipe will take counts as spent. */
  #spent(): number {
    const { evaluations, seconds } = this.#parts.request;
    const { candidates, trials } = this.#view;
    const impossible = candidates.filter(({ error }) => error !== undefined);
    const done = trials.filter(
      ({ of, seed }) => typeof of === "number" && seed === this.#parts.settings.seed,
    );
    const counted = evaluations === undefined ? 0 : (done.length + impossible.length) / evaluations;
    if (seconds === undefined) return counted;
    return Math.max(counted, (this.#seconds() + this.#toRepeat(seconds)) / seconds);
  }

  /** Seconds of all work so far. */
  #seconds(): number {
    return this.#parts.store.records.reduce(
      (sum, record) => sum + ("seconds" in record ? record.seconds : 0),
      0,
    );
  }

  /**
   * Seconds that full fine-tunings at the end will take, at the pace of the fastest candidate so far: a short trial takes
   * longer per epoch, because of its pruning. At most half of the budget.
   */
  #toRepeat(budget: number): number {
    const { finished: trials, top } = this.#view;
    if (trials.length === 0) return 0;
    const pace = Math.min(...trials.map(({ seconds, epochs }) => seconds / epochs));
    const full = trials.some(({ rung }) => rung === top);
    const left = this.#parts.settings.repeats - (full ? 1 : 0);
    return Math.min(left * pace * this.#rungs.at(-1)!, budget / 2);
  }

  get #view(): View {
    return viewOf(this.#parts.store.records);
  }

  async #append(record: SearchRecord): Promise<void> {
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
