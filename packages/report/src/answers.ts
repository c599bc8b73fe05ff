import { formatBytes, formatChange, formatErrorStat, formatShare, formatSpeedup } from "./numbers.ts";
import type { RunRow, Section, TimingRow } from "./section.ts";
import { allowances, shownTiming, timingsOf } from "./verdicts.ts";

/** One question that readers ask first, and the model that answers it. */
export interface Answer {
  /** `smallest within 1 %`. */
  readonly question: string;
  /** The main figure: a size, a speed-up, or `none`. */
  readonly figure: string;
  /** The model that reaches it. */
  readonly who: string;
  /** Its other properties, one line each. */
  readonly facts: readonly string[];
}

/** The answers for one dense model on one data set. */
export interface Answers {
  readonly title: string;
  /** The dense model, and the reference for errors. */
  readonly lead: string;
  readonly answers: readonly Answer[];
}

/** The smallest and the fastest model of a section within each allowance of the reference error, by any strategy. */
export function answersOf(section: Section): Answer[] {
  const runs = section.runs.filter(({ applicable, after }) => applicable && Number.isFinite(after.mse.mean));
  const shown = shownTiming(section);
  return allowances.flatMap((allowance) => {
    const within = runs.filter(({ after, reference }) => after.mse.mean <= (1 + allowance) * reference);
    const said = `within ${formatShare(allowance)}`;
    const smallest = least(within, ({ size }) => size.bytes.stored);
    if (smallest === undefined) return [noneOf(said, runs, section)];
    const bytes = smallest.size.bytes.stored;
    const size: Answer = {
      question: `smallest ${said}`,
      figure: formatBytes(bytes),
      who: nameOf(smallest, section),
      facts: [
        `${formatChange(bytes / section.dense.size.bytes.stored)} of the dense size`,
        errorOf(smallest),
      ],
    };
    const timed = within.flatMap((run) => {
      const timing = timingsOf(section, run).find(
        ({ backend, batch }) => backend === shown?.backend && batch === shown.batch,
      );
      return timing === undefined ? [] : [{ run, timing }];
    });
    const fastest = least(timed, ({ timing }) => -timing.speedup.mean);
    return fastest === undefined ? [size] : [size, speedOf(said, fastest, section)];
  });
}

function speedOf(
  said: string,
  { run, timing }: { readonly run: RunRow; readonly timing: TimingRow },
  section: Section,
): Answer {
  return {
    question: `fastest ${said}`,
    figure: formatSpeedup(timing.speedup.mean),
    who: nameOf(run, section),
    facts: [`on ${timing.backend}, batch ${timing.batch}`, errorOf(run)],
  };
}

/** If no model is within an allowance, the error that comes closest. */
function noneOf(said: string, runs: readonly RunRow[], section: Section): Answer {
  const nearest = least(runs, ({ after, reference }) => after.mse.mean / reference);
  return {
    question: said,
    figure: "none",
    who: nearest === undefined ? "" : `nearest: ${nameOf(nearest, section)}`,
    facts: nearest === undefined ? [] : [errorOf(nearest)],
  };
}

/** A recipe by its name and target; a missed target is replaced by the value that was reached. */
function nameOf({ strategy, target, met, sparsity, tuning }: RunRow, { runs }: Section): string {
  const reached = met ? target : `sparsity ${formatShare(sparsity, 1)}`;
  const varied = runs.some((run) => run.tuning !== tuning);
  return [strategy, reached, ...(varied ? [`fine-tuning ${tuning}`] : [])].join(", ");
}

function errorOf({ after, reference }: RunRow): string {
  return `MSE ${formatErrorStat(after.mse)} (${formatChange(after.mse.mean / reference)})`;
}

function least<T>(all: readonly T[], of: (item: T) => number): T | undefined {
  return all.reduce<T | undefined>((a, b) => (a !== undefined && of(a) <= of(b) ? a : b), undefined);
}
