import {
  type Files,
  isPrune,
  isTrain,
  type LatencyRecord,
  type Parts,
  type PruneRecord,
  procedureOf,
  type ResultRecord,
  type TestErrors,
  type Timing,
  type TrainRecord,
} from "@espalier/bench";
import type { Accounting } from "@espalier/core";
import { groupBy } from "./labels.ts";
import { type Names, targetOf } from "./names.ts";
import type { DenseRow, ErrorStats, FileForm, RunRow, Size, Stat, TimingRow } from "./section.ts";

/** The dense model of a section, from its own records, or from the records of its pruned models. */
export function denseRow(group: readonly ResultRecord[]): DenseRow | undefined {
  const trained = group.filter(isTrain);
  const seen: readonly (Counted & { seed: number; test: TestErrors; epochs: number })[] =
    trained.length > 0
      ? trained.map(({ cell, result }: TrainRecord) => ({ seed: cell.seed, ...result }))
      : groupBy(group.filter(isPrune), ({ cell }) => cell.dense.seed).map(([first]) => {
          const { cell, result } = first!;
          return { seed: cell.dense.seed, ...result.dense, epochs: cell.dense.training.epochs };
        });
  if (seen.length === 0) return undefined;
  return {
    seeds: seen.map(({ seed }) => seed),
    epochs: Math.max(...seen.map(({ epochs }) => epochs)),
    size: sizeOf(seen),
    errors: errorsOf(seen.map(({ test }) => test)),
    rounded: roundedOf(seen),
    parts: trained[0]?.result.parts,
    naive: trained[0]?.result.naive,
    series: trained[0]?.result.test.bySeries,
  };
}

/** Combines the records of one pruned model with several seeds into a row; `reference` replaces the dense models' MSE. */
export function runRow(group: readonly PruneRecord[], names: Names, reference?: number): RunRow {
  const { cell } = group[0]!;
  const results = group.map(({ result }) => result);
  const applicable = results.some((result) => result.applicable);
  const met = results.every(({ target }) => target.met);
  const reasons = results.flatMap(({ notes, target }) =>
    target.why === undefined || !applicable ? notes : [target.why, ...notes],
  );
  return {
    strategy: names.procedure(cell),
    target: targetOf(cell),
    metric: results[0]!.target.metric,
    asked: results[0]!.target.asked,
    tuning: names.tuning(cell),
    seeds: group.map(({ cell: { dense } }) => dense.seed),
    reference: reference ?? statOf(results.map(({ dense }) => dense.test.mse)).mean,
    applicable,
    met,
    reasons: [...new Set(reasons)],
    sparsity: mean(results.map(({ sparsity }) => sparsity)),
    size: sizeOf(results),
    before: errorsOf(results.map(({ pruned }) => pruned)),
    after: errorsOf(results.map(({ tuned }) => tuned)),
    rounded: roundedOf(results),
    tuningEpochs: Math.max(...results.map(({ tuningEpochs }) => tuningEpochs)),
    parts: results[0]!.parts,
    series: results[0]!.tuned.bySeries,
    id: group[0]!.id,
  };
}

/**
 * Timings of all pruned models of a section. Those of several processors are kept apart, as if each were a backend of its
 * own: means and charts then never mix times of two machines.
 */
export function timingRows(
  records: readonly LatencyRecord[],
  runs: readonly RunRow[],
  names: Names,
): TimingRow[] {
  const processors = new Set(records.map(({ environment }) => environment.processor));
  const groups = groupBy(records, ({ cell: { pruned, backend, batch }, environment }) => [
    procedureOf(pruned),
    pruned.target,
    backend,
    batch,
    environment.processor,
  ]);
  return groups.flatMap((group): TimingRow[] => {
    const { cell, environment } = group[0]!;
    const results = group.map(({ result }) => result);
    const strategy = names.procedure(cell.pruned);
    const target = targetOf(cell.pruned);
    const [metric, asked] = Object.entries(cell.pruned.target)[0]!;
    const run = runs.find((r) => r.strategy === strategy && r.target === target);
    // A model with nothing to prune equals its dense model: its ratio says nothing.
    if (run?.applicable === false) return [];
    const over = (of: (result: LatencyRecord["result"]) => Timing): Stat => ({
      mean: mean(results.map((r) => of(r).median)),
      spread: mean(results.map((r) => of(r).spread)),
    });
    return [
      {
        strategy,
        target,
        metric,
        asked,
        met: run?.met ?? true,
        sparsity: mean(results.map(({ sparsity }) => sparsity)),
        backend: processors.size > 1 ? `${cell.backend} on ${environment.processor}` : cell.backend,
        batch: cell.batch,
        device: results[0]!.device,
        dense: over((r) => r.dense),
        pruned: over((r) => r.pruned),
        speedup: over((r) => ({ median: r.speedup, spread: r.speedupSpread, samples: 0 })),
        samples: results.reduce((sum, { pruned }) => sum + pruned.samples, 0),
        waited: Math.max(...results.map(({ waited = 0 }) => waited)),
      },
    ];
  });
}

interface Counted {
  readonly counts: Accounting;
  readonly parts?: Parts;
  readonly files?: Files;
}

const forms: readonly FileForm[] = ["float32", "float16", "int8"];

/** Values by form that every model has. */
function byForm<T, R>(
  models: readonly Counted[],
  of: (files: Files, form: FileForm) => T | undefined,
  combine: (values: readonly T[]) => R,
): ReadonlyMap<FileForm, R> {
  return new Map(
    forms.flatMap((form): [FileForm, R][] => {
      const values = models.flatMap(({ files }) => (files && of(files, form)) ?? []) as T[];
      return values.length === models.length ? [[form, combine(values)]] : [];
    }),
  );
}

function roundedOf(models: readonly Counted[]): ReadonlyMap<FileForm, ErrorStats> {
  return byForm(models, ({ errors }, form) => (form === "float32" ? undefined : errors?.[form]), errorsOf);
}

function sizeOf(models: readonly Counted[]): Size {
  const over = (of: (counts: Accounting, parts: Parts | undefined) => number): number =>
    mean(models.map(({ counts, parts }) => of(counts, parts)));
  return {
    parameters: {
      total: over(({ parameters }) => parameters.total),
      nonzero: over(({ parameters }) => parameters.nonzero),
      dead: over(({ parameters }) => parameters.dead),
      deadNonzero: over(({ parameters }, parts) => deadNonzero(parts) ?? parameters.dead),
    },
    flops: {
      total: over(({ flops }) => flops.total),
      effective: over(({ flops }) => flops.effective),
      dead: over(({ flops }) => flops.dead),
    },
    bytes: { dense: over(({ bytes }) => bytes.dense), stored: over(({ bytes }) => bytes.stored) },
    files: byForm(models, ({ bytes }, form) => bytes[form], mean),
  };
}

function deadNonzero(parts: Parts | undefined): number | undefined {
  return parts?.layers.reduce((sum, { live, nonzero }) => sum + (live ? 0 : nonzero), 0);
}

function errorsOf(tests: readonly TestErrors[]): ErrorStats {
  const mase = tests.map((test) => test.mase);
  return {
    mse: statOf(tests.map(({ mse }) => mse)),
    mae: statOf(tests.map(({ mae }) => mae)),
    ...(mase.every((value) => value !== undefined) && { mase: statOf(mase) }),
  };
}

/** Mean and sample standard deviation. A null, by which JSON stands for NaN, makes both NaN. */
export function statOf(values: readonly (number | null)[]): Stat {
  // JSON has no NaN: an error that overflowed is null in the file.
  const numbers = values.map((value) => value ?? Number.NaN);
  const center = mean(numbers);
  const squares = numbers.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return { mean: center, spread: numbers.length < 2 ? 0 : Math.sqrt(squares / (numbers.length - 1)) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
