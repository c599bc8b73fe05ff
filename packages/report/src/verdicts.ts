import type { RunRow, Section, TimingRow } from "./section.ts";

/** Allowed increases of a pruned model's error over the dense model's, as shares. */
export const allowances: readonly number[] = [0.01, 0.05];

/** The sparsest model of a strategy whose error is within an allowance of the dense one's. */
export interface Verdict {
  readonly strategy: string;
  readonly allowance: number;
  /** Undefined if none of the tried models is. */
  readonly run?: RunRow;
  readonly timings: readonly TimingRow[];
}

/** The answer that most readers look for: how far can each strategy prune? By MSE, after fine-tuning. */
export function verdictsOf(section: Section): Verdict[] {
  const applicable = section.runs.filter((run) => run.applicable);
  const strategies = [...new Set(applicable.map(({ strategy }) => strategy))];
  return strategies.flatMap((strategy) =>
    allowances.map((allowance): Verdict => {
      const run = applicable
        .filter((r) => r.strategy === strategy && r.after.mse.mean <= (1 + allowance) * r.reference)
        .reduce<RunRow | undefined>(
          (a, b) => (a !== undefined && a.sparsity >= b.sparsity ? a : b),
          undefined,
        );
      if (run === undefined) return { strategy, allowance, timings: [] };
      return { strategy, allowance, run, timings: timingsOf(section, run) };
    }),
  );
}

/** The timings of a run's model; fine-tuning changes none. */
export function timingsOf({ timings }: Section, run: RunRow): TimingRow[] {
  return timings.filter(({ strategy, target }) => strategy === run.strategy && target === run.target);
}

/** The only speed-up shown if there is room for one: that of the first backend, at its largest batch. */
export function shownTiming({ timings }: Section): { backend: string; batch: number } | undefined {
  const [first] = timings;
  if (first === undefined) return undefined;
  const batches = timings.filter(({ backend }) => backend === first.backend).map(({ batch }) => batch);
  return { backend: first.backend, batch: Math.max(...batches) };
}
