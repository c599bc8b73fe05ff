import { errorLimitOf, type Goal, metrics } from "./goal.ts";
import { type Measured, measureOf, type TrialRecord } from "./records.ts";

/** A trial of a candidate that has a result. */
export type Finished = TrialRecord & { readonly of: number; readonly result: Measured };

/** Whether a trial is one of a candidate, and has a result. */
export function isFinished(trial: TrialRecord): trial is Finished {
  return typeof trial.of === "number" && trial.result !== undefined;
}

/** The largest error that a full fine-tuning may leave; undefined without a limit. */
export function allowedError(
  goal: Goal,
  reference: (which: NonNullable<Goal["reference"]>) => number,
): number | undefined {
  const limit = errorLimitOf(goal);
  if (limit === undefined) return undefined;
  return "mse" in limit ? limit.mse : limit.factor * reference(limit.reference);
}

/** Orders models by a goal: those within the limits first, the smallest in front; then by how far limits are exceeded. */
export interface Ranking {
  /** How far limits are exceeded, as a sum of logarithms; 0 if all are kept. */
  excess(measured: Measured, rung: number): number;
  /** Negative if the first model is the better choice. */
  compare(a: Measured, b: Measured, rung: number): number;
  /** Trials whose recipes are the most promising come first. */
  order(trials: readonly Finished[]): Finished[];
  /** The logarithm of the allowed error over the model's, negative beyond the limit; undefined without a limit. */
  spare(measured: Measured, rung: number): number | undefined;
}

/**
 * How many per cent of size one per cent of error is worth: on ETTh1, between 0.8 and 15 % of the bytes, the logarithm of
 * the size of the best models found by hand falls by 0.36 for each per cent of error, of iTransformer and PatchTST alike.
 */
export const exchange = 36;

/**
 * The ranking of a goal. Choices follow the feasibility rules of Deb (2000); what is tried next follows `promise`. After a short fine-tuning errors are larger than after a full
 * one: there, the limit is raised by the gain of the candidates that were tuned further, the median from rung to rung.
 */
export function rankingOf(
  goal: Goal,
  allowed: number | undefined,
  trials: readonly Finished[],
  top: number,
): Ranking {
  const gains = Array.from({ length: top }, (_, rung) => gainAfter(rung, trials));
  const limit = (rung: number) => gains.slice(rung).reduce((mse, gain) => mse * gain, allowed!);
  const excess = (measured: Measured, rung: number) =>
    metrics.reduce((sum, metric) => {
      if (goal[metric] === undefined) return sum;
      const most = metric === "error" ? limit(rung) : goal[metric]!;
      // A pruning step may end a little above its target; what counts is the size that was reached.
      return sum + Math.max(0, Math.log(measureOf(metric, measured) / most) - 1e-6);
    }, 0);
  const value = (measured: Measured) => measureOf(goal.minimize, measured);
  const spare = (measured: Measured, rung: number) =>
    allowed === undefined ? undefined : Math.log(limit(rung) / measureOf("error", measured));
  // What is minimized, extrapolated to the limit of the error: a larger model with error to spare can be made smaller.
  const promise = ({ result, rung }: Finished) =>
    Math.log(value(result)) + exchange * (excess(result, rung) - Math.max(0, spare(result, rung) ?? 0));
  return {
    excess,
    spare,
    compare: (a, b, rung) => excess(a, rung) - excess(b, rung) || value(a) - value(b),
    order: (all) => all.toSorted((a, b) => promise(a) - promise(b) || a.of - b.of),
  };
}

/** Median ratio of the errors after a rung and after the next one; 1 if no candidate got so far. */
function gainAfter(rung: number, trials: readonly Finished[]): number {
  const first = firstSeeds(trials);
  const ratios = first
    .filter((trial) => trial.rung === rung + 1)
    .flatMap(({ of, result }) => {
      const before = first.find((trial) => trial.of === of && trial.rung === rung);
      return before === undefined ? [] : [before.result.validation.mse / result.validation.mse];
    })
    .sort((a, b) => a - b);
  const middle = (ratios.length - 1) / 2;
  return ratios.length === 0 ? 1 : (ratios[Math.floor(middle)]! + ratios[Math.ceil(middle)]!) / 2;
}

/** Trials with the seed of the search; the chosen recipe has others, too. */
function firstSeeds(trials: readonly Finished[]): Finished[] {
  const [first] = trials;
  return trials.filter(({ seed }) => seed === first!.seed);
}

/** For each candidate, the trial that was tuned for longest with the seed of the search. */
export function longestOf(trials: readonly Finished[]): Finished[] {
  const longest = new Map<number, Finished>();
  for (const trial of firstSeeds(trials))
    if (trial.rung >= (longest.get(trial.of)?.rung ?? 0)) longest.set(trial.of, trial);
  return [...longest.values()];
}
