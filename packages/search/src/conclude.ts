import type { Model } from "@espalier/core";
import type { WindowSet } from "@espalier/datasets";
import type { Recipe } from "@espalier/recipe";
import { type Goal, limitText, metrics, sizeMetricOf } from "./goal.ts";
import { type Finished, isFinished, longestOf, type Ranking } from "./ranking.ts";
import { type Measured, measureOf, modelName, type SearchRecord, type TrialRecord } from "./records.ts";
import type { Settings } from "./settings.ts";
import type { SearchStore } from "./store.ts";
import type { Task, Work } from "./work.ts";

/** A fixed recipe to compare with. */
export interface Rival {
  readonly label: string;
  readonly recipe: Recipe;
}

/** Result of a search. */
export interface Conclusion {
  /** The recipe that reaches the goal on the mean of its seeds. */
  readonly chosen?: {
    readonly candidate: number;
    /** Its full fine-tunings, one per seed. */
    readonly trials: readonly Finished[];
    /** Mean over the seeds. */
    readonly mean: Measured;
    /** The model of the seed with the least validation error, and the recipe that makes it. */
    readonly model: Model;
    readonly recipe: Recipe;
  };
  /** Candidates that reach the goal with the first seed, but not on the mean of all. */
  readonly replaced?: readonly number[];
  /** If nothing reaches the goal: the nearest trial and, in one line, what stops it. */
  readonly unmet?: { readonly nearest?: Finished; readonly why: string };
  /** Fixed recipes at the size of the chosen one. */
  readonly rivals?: readonly TrialRecord[];
  /** Models that none beats in both size and error, the smallest first. */
  readonly front?: readonly Finished[];
}

/** Input for the end of a search. */
export interface ConclusionRequest {
  readonly goal: Goal;
  readonly settings: Settings;
  readonly work: Work;
  readonly store: SearchStore;
  /** The dense model. */
  readonly model: Model;
  readonly allowed: number | undefined;
  readonly rungs: readonly number[];
  readonly rivals: ((target: { bytes: number } | { flops: number }) => readonly Rival[]) | undefined;
  readonly test: ((model: Model) => Promise<WindowSet>) | undefined;
  ranking(): Ranking;
  trial(task: Task): Promise<TrialRecord>;
  taskOf(of: Task["of"], rung: number, recipe: Recipe, seed?: number): Task;
  append(record: SearchRecord): Promise<void>;
}

/** Candidates that are tuned fully at the end, because they promise to be better than those that were. */
const lastTries = 3;

/** Chooses, repeats the choice with further seeds, compares it with fixed recipes, and tests once. */
export async function conclude(request: ConclusionRequest): Promise<Conclusion> {
  const { store, settings } = request;
  const top = request.rungs.length - 1;
  const replaced: number[] = [];
  let chosen: Conclusion["chosen"];
  for (let tries = 0; chosen === undefined; ) {
    const [next] = reaching(request).filter(({ of }) => !replaced.includes(of));
    const below = tries < lastTries ? bestBelow(request, next) : undefined;
    if (below !== undefined) {
      tries++;
      await request.trial(request.taskOf(below.of, top, withEpochs(below, request.rungs[top]!)));
    } else if (next !== undefined) {
      chosen = await repeated(next, request);
      if (chosen === undefined) replaced.push(next.of);
    } else break;
  }
  const finished = store.records.flatMap((r) => (r.kind === "trial" && isFinished(r) ? [r] : []));
  const longest = longestOf(finished.filter(({ seed }) => seed === settings.seed));
  const front = frontOf(longest, sizeMetricOf(request.goal) ?? "bytes");
  const rivals = chosen && (await compared(chosen, request));
  await tested({ chosen, front, rivals: rivals ?? [] }, request);
  return {
    ...(chosen && { chosen }),
    replaced,
    ...(chosen === undefined && { unmet: unmetBy(longest, request) }),
    ...(rivals && { rivals }),
    front,
  };
}

function finishedOf({ store, settings }: ConclusionRequest): Finished[] {
  return store.records.flatMap((r) =>
    r.kind === "trial" && isFinished(r) && r.seed === settings.seed ? [r] : [],
  );
}

/** Candidates that reach the goal after a full fine-tuning, the best first. */
function reaching(request: ConclusionRequest): Finished[] {
  const top = request.rungs.length - 1;
  const ranking = request.ranking();
  return finishedOf(request)
    .filter(({ rung, result }) => rung === top && ranking.excess(result, top) === 0)
    .toSorted((a, b) => ranking.compare(a.result, b.result, top) || a.of - b.of);
}

/** The best candidate that has not been tuned fully, if it can be expected to be better than `than`. */
function bestBelow(request: ConclusionRequest, than: Finished | undefined): Finished | undefined {
  const top = request.rungs.length - 1;
  const ranking = request.ranking();
  const tried = new Set(
    request.store.records.flatMap((r) => (r.kind === "trial" && r.rung === top ? [r.of] : [])),
  );
  const [best] = longestOf(finishedOf(request))
    .filter(({ of }) => !tried.has(of))
    .toSorted(
      (a, b) =>
        ranking.excess(a.result, a.rung) - ranking.excess(b.result, b.rung) ||
        measureOf(request.goal.minimize, a.result) - measureOf(request.goal.minimize, b.result) ||
        a.of - b.of,
    );
  if (best === undefined || than === undefined) return best;
  const isBetter =
    ranking.excess(best.result, best.rung) === 0 &&
    measureOf(request.goal.minimize, best.result) < measureOf(request.goal.minimize, than.result);
  return isBetter ? best : undefined;
}

/** The recipe of a shorter trial at full length. */
function withEpochs({ recipe }: Finished, epochs: number): Recipe {
  const steps = recipe.steps.map((step) =>
    "fit" in step ? { ...step, fit: { ...step.fit, epochs } } : step,
  );
  return { ...recipe, steps: steps as Recipe["steps"] };
}

/** Repeats a trial with further seeds; undefined if the mean misses the goal. */
async function repeated(first: Finished, request: ConclusionRequest): Promise<Conclusion["chosen"]> {
  const { settings, rungs, work } = request;
  const trials: Finished[] = [first];
  for (let i = 1; i < settings.repeats; i++) {
    const task = request.taskOf(first.of, rungs.length - 1, first.recipe, settings.seed + i);
    const trial = await request.trial(task);
    if (!isFinished(trial)) return undefined;
    trials.push(trial);
  }
  const mean = meanOf(trials.map(({ result }) => result));
  if (request.ranking().excess(mean, rungs.length - 1) > 0) return undefined;
  const [best] = trials.toSorted((a, b) => a.result.validation.mse - b.result.validation.mse);
  const recipe = { ...best!.recipe, seed: best!.seed, backend: settings.backend };
  return { candidate: first.of, trials, mean, model: await work.modelOf(best!), recipe };
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

/** Runs fixed recipes at the size of the chosen model. */
async function compared(
  { mean }: NonNullable<Conclusion["chosen"]>,
  request: ConclusionRequest,
): Promise<TrialRecord[]> {
  const metric = sizeMetricOf(request.goal) ?? "bytes";
  const size = Number(mean[metric].toPrecision(4));
  const target = metric === "bytes" ? { bytes: size } : { flops: size };
  const trials: TrialRecord[] = [];
  for (const { label, recipe } of request.rivals?.(target) ?? [])
    trials.push(
      await request.trial(request.taskOf(`${label} at ${size} ${metric}`, request.rungs.length - 1, recipe)),
    );
  return trials;
}

/** Test errors of the dense model, the chosen recipe's seeds, the front and the rivals: each is measured once. */
async function tested(
  {
    chosen,
    front,
    rivals,
  }: { chosen: Conclusion["chosen"]; front: readonly Finished[]; rivals: readonly TrialRecord[] },
  { model: dense, work, store, test, append }: ConclusionRequest,
): Promise<void> {
  if (test === undefined) return;
  const tuned = store.records.filter((r) => r.kind === "trial" && r.of === "dense") as TrialRecord[];
  const trials = [...(chosen?.trials ?? []), ...front, ...tuned, ...rivals.filter(({ result }) => result)];
  const byName = new Map(trials.map((trial) => [modelName(trial), trial]));
  for (const [name, trial] of [["dense", undefined] as const, ...byName]) {
    if (store.records.some((record) => record.kind === "test" && record.model === name)) continue;
    const model = trial === undefined ? dense : await work.modelOf(trial);
    await append({ kind: "test", model: name, ...(await work.test(model, await test(model))) });
  }
}

/** The trial that comes nearest to the goal, and what stops it, in one line. */
function unmetBy(longest: readonly Finished[], request: ConclusionRequest): NonNullable<Conclusion["unmet"]> {
  const { goal, store, allowed } = request;
  const limits = limitText(goal);
  const ranking = request.ranking();
  const failures = store.records.flatMap((r) =>
    (r.kind === "candidate" || r.kind === "trial") && r.error !== undefined ? [r.error] : [],
  );
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
