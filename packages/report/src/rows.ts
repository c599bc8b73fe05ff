import {
  denseCell,
  isFailure,
  isLatency,
  isPrune,
  isSensitivity,
  isTrain,
  type Parts,
  procedureOf,
  type ResultRecord,
  type TrainCell,
} from "@espalier/bench";
import type { Sensitivity } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { denseRow, runRow, timingRows } from "./aggregate.ts";
import { datasetLabel, distinctLabels, groupBy, slugs } from "./labels.ts";
import { describeCell, namesOf } from "./names.ts";

/** A number over seeds: its mean, and the sample standard deviation (0 for one seed). */
export interface Stat {
  readonly mean: number;
  readonly spread: number;
}

export interface ErrorStats {
  readonly mse: Stat;
  readonly mae: Stat;
}

/** What a model costs, mean over seeds. FLOPs of one window. */
export interface Size {
  /** Elements of trainable tensors: all, those that are kept, those that no output depends on, and of those what is kept. */
  readonly parameters: {
    readonly total: number;
    readonly nonzero: number;
    readonly dead: number;
    readonly deadNonzero: number;
  };
  /** As drawn, those of live nodes with zeros skipped, and those of dead nodes. */
  readonly flops: { readonly total: number; readonly effective: number; readonly dead: number };
  readonly bytes: { readonly dense: number; readonly stored: number };
}

/** A dense model on its data: what its pruned ones are compared with. */
export interface DenseRow {
  readonly seeds: readonly number[];
  readonly epochs: number;
  readonly size: Size;
  readonly errors: ErrorStats;
  /** Of the first seed; results of earlier versions lack it. */
  readonly parts?: Parts | undefined;
}

/** One strategy at one target with one way of fine-tuning, over seeds. */
export interface RunRow {
  readonly strategy: string;
  /** What was asked for, in words; the first of it, where there are several. */
  readonly target: string;
  readonly metric: string;
  readonly asked: number;
  readonly tuning: string;
  readonly seeds: readonly number[];
  /** False where the strategy finds nothing of its kind in the model. */
  readonly applicable: boolean;
  /** Whether the target was reached with every seed. */
  readonly met: boolean;
  /** Why it does not apply, or was not reached; remarks otherwise. */
  readonly reasons: readonly string[];
  /** As reached. */
  readonly sparsity: number;
  readonly size: Size;
  /** Right after pruning, and after fine-tuning. */
  readonly before: ErrorStats;
  readonly after: ErrorStats;
  readonly tuningEpochs: number;
  /** Of the first seed; results of earlier versions lack it. */
  readonly parts?: Parts | undefined;
  /** Name of the first seed's result, and of its model's file. */
  readonly id: string;
}

/** Times of one strategy at one target, in milliseconds a call; mean over seeds of medians and of half the quartile distance. */
export interface TimingRow {
  readonly strategy: string;
  readonly target: string;
  readonly metric: string;
  readonly asked: number;
  readonly met: boolean;
  readonly sparsity: number;
  readonly backend: string;
  readonly batch: number;
  readonly device: string;
  readonly dense: Stat;
  readonly pruned: Stat;
  readonly speedup: Stat;
  readonly samples: number;
}

/** A cell without a result. */
export interface FailureRow {
  readonly what: string;
  readonly error: string;
}

/** All of one dense model on one data set. */
export interface Section {
  readonly title: string;
  /** Name for files. */
  readonly slug: string;
  readonly model: string;
  readonly dataset: string;
  readonly lengths: string;
  readonly dense: DenseRow;
  /** Test MSE that pruned models are held against: the dense model's mean where none was given. */
  readonly reference: number;
  readonly runs: readonly RunRow[];
  readonly timings: readonly TimingRow[];
  /** Of the first seed, where it was measured. */
  readonly sensitivity?: Sensitivity | undefined;
  /** Name of the dense model's result for the first seed, where it was trained here. */
  readonly id?: string | undefined;
}

/** Everything the report says, by section. */
export interface Rows {
  readonly sections: readonly Section[];
  readonly failures: readonly FailureRow[];
  /** In the order in which they get their colours. */
  readonly strategies: readonly string[];
  /** More than one where fine-tuning was varied. */
  readonly tunings: readonly string[];
}

/**
 * Records as rows: later results of the same cell replace earlier ones, and seeds are put together. `references` are errors
 * to hold pruned models against, by the name of the model; an EspalierError where there is no such model.
 */
export function rowsOf(
  records: readonly ResultRecord[],
  references: Readonly<Record<string, number>> = {},
): Rows {
  const latest = latestResults(records);
  const names = namesOf(latest);
  const good = latest.filter((record) => !isFailure(record));
  const groups = groupBy(good, settingOf).flatMap((group) => {
    const dense = denseRow(group);
    return dense === undefined ? [] : [{ group, dense, cell: denseCell(group[0]!.cell) }];
  });
  const titles = distinctLabels(
    groups.map(({ cell, group }) => ({
      label: `${names.model(cell.model)} on ${datasetLabel(cell.data.dataset)}`,
      options: sectionOptions(cell, group[0]!.environment.dataChecksum),
    })),
  );
  const known = groups.map(({ cell }) => names.model(cell.model));
  const strange = Object.keys(references).find((name) => !known.includes(name));
  if (strange !== undefined) throw unknownName("model of the results", strange, known);
  const files = slugs(titles);
  const sections = groups.map(({ group, dense, cell }, i): Section => {
    const pruned = group.filter(isPrune);
    const runs = groupBy(pruned, ({ cell: c }) => [
      procedureOf(c),
      c.target,
      "strategy" in c ? c.fineTuning : {},
    ]).map((g) => runRow(g, names));
    return {
      title: titles[i]!,
      slug: files[i]!,
      model: names.model(cell.model),
      dataset: datasetLabel(cell.data.dataset),
      lengths: `${cell.data.inputLength} → ${cell.data.horizon}`,
      dense,
      reference: references[names.model(cell.model)] ?? dense.errors.mse.mean,
      runs,
      timings: timingRows(group.filter(isLatency), runs, names),
      sensitivity: group.find(isSensitivity)?.result,
      id: group.find(isTrain)?.id,
    };
  });
  const failures = latest
    .filter(isFailure)
    .map(({ cell, error }) => ({ what: describeCell(cell, names), error }));
  return { sections, failures, strategies: names.strategies, tunings: names.tunings };
}

/** Of each cell the last result; a failure only where there is nothing better. */
export function latestResults(records: readonly ResultRecord[]): ResultRecord[] {
  const byId = new Map<string, ResultRecord>();
  for (const record of records) {
    const known = byId.get(record.id);
    if (known === undefined || !isFailure(record) || isFailure(known)) byId.set(record.id, record);
  }
  return [...byId.values()];
}

/** What a section is about: the dense model but for its seed, and the data by what they hold. */
function settingOf({ cell, environment }: ResultRecord): unknown {
  const { seed: _, data, ...rest } = denseCell(cell);
  const { dataset: _name, ...lengths } = data;
  return { ...rest, data: lengths, checksum: environment.dataChecksum };
}

function sectionOptions({ data, training, backend }: TrainCell, checksum: string): Record<string, unknown> {
  const { dataset: _, ...lengths } = data;
  return { ...lengths, training, trainedOn: backend, checksum: checksum.slice(0, 8) };
}
