import type { Finished, Ranking } from "./ranking.ts";

/** The next piece of work of a search. */
export type Job =
  /** Tune a candidate for longer: on the next rung. */
  | { readonly does: "promote"; readonly candidate: number; readonly rung: number }
  /** Make a new candidate. */
  | { readonly does: "propose" };

/** A model whose limits are exceeded by less than this, as a sum of logarithms, may keep them once it is tuned for longer. */
const near = 0.25;

/**
 * Asynchronous successive halving (Li et al., MLSys 2020): promotes the most promising candidate that is in the top
 * `1 / reduction` of its rung and not on the next one yet, from the highest rung down; if there is none, asks for a new
 * candidate. `rungs` is their number; `tried` says whether a trial exists, failed ones included; candidates that are not
 * `worthwhile` stay where they are.
 */
export function nextJob(
  trials: readonly Finished[],
  {
    rungs,
    reduction,
    ranking,
    tried,
    worthwhile = () => true,
  }: {
    readonly rungs: number;
    readonly reduction: number;
    readonly ranking: Ranking;
    readonly tried: (candidate: number, rung: number) => boolean;
    readonly worthwhile?: (candidate: number) => boolean;
  },
): Job {
  for (let rung = rungs - 2; rung >= 0; rung--) {
    const here = ranking.order(trials.filter((trial) => trial.rung === rung && worthwhile(trial.of)));
    // The first one near the limit shows what longer tuning is worth.
    const first = here.filter(({ result }) => ranking.excess(result, rung) < near).slice(0, 1);
    const count = Math.floor(here.length / reduction);
    const best = (count === 0 ? first : here.slice(0, count)).find(({ of }) => !tried(of, rung + 1));
    if (best !== undefined) return { does: "promote", candidate: best.of, rung: rung + 1 };
  }
  return { does: "propose" };
}
