import { formatChange, formatErrorStat, formatShare } from "./numbers.ts";
import type { RunRow, Section } from "./section.ts";
import type { Table } from "./table.ts";

/** A model in comparison: its size as a share of the dense one, and its error. */
export interface Contestant {
  readonly run: RunRow;
  readonly size: number;
  readonly error: number;
}

/** All pruned models of a section by size as stored and error after fine-tuning, smallest first. */
export function contestants({ runs, dense }: Section): Contestant[] {
  return runs
    .filter((run) => run.applicable && Number.isFinite(run.after.mse.mean))
    .map((run) => ({
      run,
      size: run.size.bytes.stored / dense.size.bytes.stored,
      error: run.after.mse.mean,
    }))
    .toSorted((a, b) => a.size - b.size || a.error - b.error);
}

/** The models that none beats in both: smallest first, each with less error than all smaller ones. */
export function frontOf(all: readonly Contestant[]): Contestant[] {
  let best = Number.POSITIVE_INFINITY;
  return all.filter(({ error }) => {
    const is = error < best;
    best = Math.min(best, error);
    return is;
  });
}

/** The front as a table: the best strategy for each size. */
export function frontTable(section: Section, withTuning: boolean): Table {
  const { mse } = section.dense.errors;
  return {
    caption: "Best model at every size: no smaller model has less error",
    columns: [
      { label: "size from", numeric: true },
      { label: "best" },
      { label: "target" },
      ...(withTuning ? [{ label: "fine-tuning" }] : []),
      { label: "sparsity reached", numeric: true },
      { label: "MSE", numeric: true },
      { label: "against dense", numeric: true },
    ],
    rows: frontOf(contestants(section)).map(({ run, size, error }) => [
      formatShare(size, 1),
      run.strategy,
      run.target,
      ...(withTuning ? [run.tuning] : []),
      formatShare(run.sparsity, 1),
      formatErrorStat(run.after.mse),
      formatChange(error / mse.mean),
    ]),
  };
}
