import type { Recipe } from "@espalier/recipe";
import { frontOrder } from "./front.ts";
import { type Goal, limitText, metrics, sizeMetricOf } from "./goal.ts";
import { allowedError, type Finished, isFinished, longestOf, type Ranking, rankingOf } from "./ranking.ts";
import {
  type CandidateRecord,
  type HeaderRecord,
  isSame,
  type Measured,
  measureOf,
  type SearchRecord,
  type Task,
  type TestRecord,
  type TrialRecord,
  taskOf,
} from "./records.ts";
import { rungsOf, type Settings } from "./settings.ts";

/** The recipe that reaches the goal on the mean of its seeds. */
export interface Chosen {
  readonly candidate: number;
  /** Its full fine-tunings, one per seed. */
  readonly trials: readonly Finished[];
  /** Mean over the seeds. */
  readonly mean: Measured;
  /** The trial of the seed with the least validation error. */
  readonly best: Finished;
  /** The recipe that makes its model. */
  readonly recipe: Recipe;
}

/** The unpruned model, trained on. */
export interface Reference {
  readonly trials: readonly ReferenceTrial[];
  readonly mean: Measured;
}
type ReferenceTrial = TrialRecord & { readonly of: "dense"; readonly result: Measured };

/** Result of a search, read from its records. */
export interface Findings {
  readonly header: HeaderRecord;
  readonly candidates: readonly CandidateRecord[];
  readonly trials: readonly TrialRecord[];
  readonly tests: readonly TestRecord[];
  /** The largest validation error that the goal allows; absent if it sets no limit. */
  readonly allowed?: number;
  /** The unpruned model, trained on: one trial per seed, and their mean; absent unless the goal refers to it. */
  readonly reference?: Reference;
  readonly chosen?: Chosen;
  /** Candidates that reach the goal with the first seed, but not on the mean of all. */
  readonly replaced?: readonly number[];
  /** If nothing reaches the goal: the nearest trial and, in one line, what stops it. */
  readonly unmet?: { readonly nearest?: Finished; readonly why: string };
  /** Fixed recipes at the size of the chosen one. */
  readonly rivals?: readonly TrialRecord[];
  /** Models that none beats in both size and error, the smallest first. */
  readonly front: readonly Finished[];
}

/**
 * Reads what the records of a search say: of `parseRecords`, or of a store. A search that has not ended has neither `chosen`
 * nor `unmet`.
 */
export function findingsOf(records: readonly SearchRecord[]): Findings {
  const view = viewOf(records);
  const { header, trials, allowed, reference } = view;
  const end = decide(view);
  const { choice } = "replaced" in end ? end : {};
  const front = frontOf(longestOf(view.finished), sizeMetricOf(header.goal) ?? "bytes");
  return {
    ...{ header, candidates: view.candidates, trials, front },
    tests: records.filter((record) => record.kind === "test"),
    ...(allowed !== undefined && { allowed }),
    ...(reference && { reference }),
    ...("replaced" in end && { replaced: end.replaced }),
    ...(choice && { chosen: choice, rivals: rivalsOf(choice, view) }),
    ...("replaced" in end && choice === undefined && { unmet: unmetBy(view) }),
  };
}

/** Candidates that are tuned fully at the end, because they promise to be better than those that were. */
const lastTries = 3;

/** The records of a search, sorted. */
export interface View {
  readonly header: HeaderRecord;
  readonly candidates: readonly CandidateRecord[];
  readonly trials: readonly TrialRecord[];
  /** Trials of candidates that have a result, with the seed of the search. */
  readonly finished: readonly Finished[];
  readonly allowed: number | undefined;
  readonly reference: Reference | undefined;
  readonly ranking: Ranking;
  readonly top: number;
  /** Full fine-tunings that were made at the end. */
  readonly lastTries: number;
}

/** Whether a trial is that of the unpruned model, trained on, and has a result. */
export function isReference(trial: TrialRecord): trial is ReferenceTrial {
  return trial.of === "dense" && trial.result !== undefined;
}

function referenceOf(all: readonly TrialRecord[]): Reference | undefined {
  const trials = all.filter(isReference);
  return trials.length === 0 ? undefined : { trials, mean: meanOf(trials.map(({ result }) => result)) };
}

export function viewOf(records: readonly SearchRecord[]): View {
  const header = records[0] as HeaderRecord;
  const { goal, settings } = header;
  const trials = records.filter((record) => record.kind === "trial");
  const finished = trials.filter(isFinished).filter(({ seed }) => seed === settings.seed);
  const reference = referenceOf(trials);
  const allowed = allowedError(goal, (which) =>
    which === "given" ? header.dense.validation.mse : (reference?.mean.validation.mse ?? Number.NaN),
  );
  const top = rungsOf(settings).length - 1;
  const ranking = rankingOf(goal, allowed, finished, top);
  const since = records.findLastIndex(({ kind }) => kind === "candidate");
  return {
    ...{ header, trials, finished, allowed, reference, top },
    candidates: records.filter((record) => record.kind === "candidate"),
    ranking: settings.front ? { ...ranking, order: frontOrder(ranking, goal.minimize) } : ranking,
    lastTries: records.slice(since).filter((record) => record.kind === "trial" && record.last).length,
  };
}

/** The trials that are needed before anything can be chosen; or the choice, and what was considered before it. */
export function decide(
  view: View,
): { tasks: readonly Task[] } | { choice?: Chosen; replaced: readonly number[] } {
  const { header, trials, ranking, top } = view;
  const { seed, repeats } = header.settings;
  const replaced: number[] = [];
  for (;;) {
    const [next] = reaching(view).filter(({ of }) => !replaced.includes(of));
    const below = view.lastTries < lastTries ? bestBelow(view, next) : undefined;
    if (below !== undefined) return { tasks: [{ ...atFullLength(below, header.settings), last: true }] };
    if (next === undefined) return { replaced };
    const tasks = Array.from({ length: repeats - 1 }, (_, i) =>
      taskOf(next.of, top, next.recipe, seed + 1 + i),
    );
    const known = tasks.flatMap((task) => trials.find((trial) => isSame(trial, task)) ?? []);
    if (known.length < tasks.length) return { tasks };
    const all: TrialRecord[] = [next, ...known];
    const choice = all.every(isFinished) ? choiceOf(all, header.settings) : undefined;
    if (choice !== undefined && ranking.excess(choice.mean, top) === 0) return { choice, replaced };
    replaced.push(next.of);
  }
}

function choiceOf(trials: readonly Finished[], { backend }: Settings): Chosen {
  const [best] = trials.toSorted((a, b) => a.result.validation.mse - b.result.validation.mse);
  const { of: candidate, recipe, seed } = best!;
  const mean = meanOf(trials.map(({ result }) => result));
  return { candidate, trials, mean, best: best!, recipe: { ...recipe, seed, backend } };
}

/** Candidates that reach the goal after a full fine-tuning, the best first. */
function reaching({ finished, ranking, top }: View): Finished[] {
  return finished
    .filter(({ rung, result }) => rung === top && ranking.excess(result, top) === 0)
    .toSorted((a, b) => ranking.compare(a.result, b.result, top) || a.of - b.of);
}

/** The best candidate that has not been tuned fully, if it can be expected to be better than `than`. */
function bestBelow(
  { header: { goal }, trials, finished, ranking, top }: View,
  than: Finished | undefined,
): Finished | undefined {
  const tried = new Set(trials.flatMap(({ of, rung }) => (rung === top ? [of] : [])));
  const value = ({ result }: Finished) => measureOf(goal.minimize, result);
  const excess = ({ result, rung }: Finished) => ranking.excess(result, rung);
  const [best] = longestOf(finished)
    .filter(({ of }) => !tried.has(of))
    .toSorted((a, b) => excess(a) - excess(b) || value(a) - value(b) || a.of - b.of);
  if (best === undefined || than === undefined) return best;
  return excess(best) === 0 && value(best) < value(than) ? best : undefined;
}

/** A shorter trial at full length. */
function atFullLength({ of, recipe, seed }: Finished, settings: Settings): Task {
  const rungs = rungsOf(settings);
  const steps = recipe.steps.map((step) =>
    "fit" in step ? { ...step, fit: { ...step.fit, epochs: rungs.at(-1)! } } : step,
  );
  return taskOf(of, rungs.length - 1, { ...recipe, steps: steps as Recipe["steps"] }, seed);
}

function meanOf(all: readonly Measured[]): Measured {
  const mean = (value: (one: Measured) => number) =>
    all.reduce((sum, one) => sum + value(one), 0) / all.length;
  return {
    ...all[0]!,
    validation: {
      mse: mean(({ validation }) => validation.mse),
      mae: mean(({ validation }) => validation.mae),
    },
    bytes: mean(({ bytes }) => bytes),
    flops: mean(({ flops }) => flops),
    ...(all[0]!.latency && {
      latency: {
        share: mean(({ latency }) => latency!.share),
        spread: mean(({ latency }) => latency!.spread),
      },
    }),
  };
}

/** Models that none beats in both error and size, the smallest first. */
export function frontOf(trials: readonly Finished[], size: "bytes" | "flops"): Finished[] {
  let least = Number.POSITIVE_INFINITY;
  return trials
    .toSorted((a, b) => a.result[size] - b.result[size] || a.result.validation.mse - b.result.validation.mse)
    .filter(({ result }) => {
      const better = result.validation.mse < least;
      least = Math.min(least, result.validation.mse);
      return better;
    });
}

/** The size at which fixed recipes are compared with the chosen one. */
export function sizeOf({ mean }: Chosen, goal: Goal): { metric: "bytes" | "flops"; size: number } {
  const metric = sizeMetricOf(goal) ?? "bytes";
  return { metric, size: Number(mean[metric].toPrecision(4)) };
}

/** The name of a fixed recipe's trial. */
export function nameAt(label: string, choice: Chosen, goal: Goal): string {
  const { metric, size } = sizeOf(choice, goal);
  return `${label} at ${size} ${metric}`;
}

function rivalsOf(choice: Chosen, { header, trials }: View): TrialRecord[] {
  const end = nameAt("", choice, header.goal);
  return trials.filter(({ of }) => typeof of === "string" && of.endsWith(end));
}

/** The trial that comes nearest to the goal, and what stops it, in one line. */
function unmetBy({
  header: { goal },
  candidates,
  trials,
  finished,
  allowed,
  ranking,
}: View): NonNullable<Findings["unmet"]> {
  const limits = limitText(goal);
  const longest = longestOf(finished);
  const failures = [...candidates, ...trials].flatMap(({ error }) => (error === undefined ? [] : [error]));
  const [nearest] = longest.toSorted(
    (a, b) => ranking.compare(a.result, b.result, a.rung) || b.rung - a.rung || a.of - b.of,
  );
  if (nearest === undefined)
    return {
      why: `${limits} cannot be met by any recipe that was tried: ${failures[0] ?? "none could be carried out"}`,
    };
  const missed = metrics.filter(
    (metric) =>
      goal[metric] !== undefined &&
      measureOf(metric, nearest.result) >
        (metric === "error" ? allowed! : (goal[metric] as number)) * (1 + 1e-6),
  );
  const number = (x: number) => Number(x.toPrecision(4));
  const texts = missed.map((metric) =>
    metric === "error"
      ? `a validation error of ${number(nearest.result.validation.mse)}, ${number(allowed!)} is allowed`
      : `${number(100 * measureOf(metric, nearest.result))} % of the ${metric}`,
  );
  const stop =
    texts.length === 0 ? "it misses the goal on the mean of its seeds" : `it has ${texts.join(" and ")}`;
  return {
    nearest,
    why: `${limits} was met by none of ${new Set(longest.map(({ of }) => of)).size} candidates; the nearest is candidate ${nearest.of} with ${number(100 * nearest.result.bytes)} % of the bytes, tuned for ${nearest.epochs} epochs: ${stop}`,
  };
}
