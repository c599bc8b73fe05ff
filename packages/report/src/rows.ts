import {
  denseCell,
  isFailure,
  isLatency,
  isPrune,
  isSensitivity,
  isTrain,
  type NaiveErrors,
  type Parts,
  procedureOf,
  type ResultRecord,
  type SeriesErrors,
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
  /** Results of earlier versions lack it. */
  readonly mase?: Stat | undefined;
}

/** Costs of a model, mean over seeds. FLOPs per window. */
export interface Size {
  /** Elements of trainable tensors: all, kept, dead, and both. */
  readonly parameters: {
    readonly total: number;
    readonly nonzero: number;
    readonly dead: number;
    readonly deadNonzero: number;
  };
  /** In full, of live nodes with zeros skipped, and of dead nodes. */
  readonly flops: { readonly total: number; readonly effective: number; readonly dead: number };
  readonly bytes: { readonly dense: number; readonly stored: number };
}

/** A dense model on its data, the reference for its pruned models. */
export interface DenseRow {
  readonly seeds: readonly number[];
  readonly epochs: number;
  readonly size: Size;
  readonly errors: ErrorStats;
  /** From the first seed; results of earlier versions lack it. */
  readonly parts?: Parts | undefined;
  /** Forecasts that need no model, from the first seed; results of earlier versions lack them. */
  readonly naive?: NaiveErrors | undefined;
  /** By series, from the first seed, if their units differ. */
  readonly series?: readonly SeriesErrors[] | undefined;
}

/** One strategy at one target with one variant of fine-tuning, over seeds. */
export interface RunRow {
  readonly strategy: string;
  /** The target in words; the first goal, if there are several. */
  readonly target: string;
  readonly metric: string;
  readonly asked: number;
  readonly tuning: string;
  readonly seeds: readonly number[];
  /** False if the strategy finds nothing to prune in the model. */
  readonly applicable: boolean;
  /** Whether the target was reached with every seed. */
  readonly met: boolean;
  /** Why it does not apply, or was not reached; otherwise remarks. */
  readonly reasons: readonly string[];
  /** The reached sparsity. */
  readonly sparsity: number;
  readonly size: Size;
  /** Right after pruning, and after fine-tuning. */
  readonly before: ErrorStats;
  readonly after: ErrorStats;
  readonly tuningEpochs: number;
  /** From the first seed; results of earlier versions lack it. */
  readonly parts?: Parts | undefined;
  /** By series after fine-tuning, from the first seed, if their units differ. */
  readonly series?: readonly SeriesErrors[] | undefined;
  /** Id of the first seed's result, which is the name of its model's file. */
  readonly id: string;
}

/**
 * Times of one strategy at one target, in milliseconds per call; mean over seeds of medians and of half the
 * interquartile range.
 */
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

/** All results for one dense model on one data set. */
export interface Section {
  readonly title: string;
  /** Name for files. */
  readonly slug: string;
  readonly model: string;
  readonly dataset: string;
  readonly lengths: string;
  readonly dense: DenseRow;
  /** Test MSE to compare pruned models with: by default the dense model's mean. */
  readonly reference: number;
  readonly runs: readonly RunRow[];
  readonly timings: readonly TimingRow[];
  /** From the first seed, if it was measured. */
  readonly sensitivity?: Sensitivity | undefined;
  /** Id of the dense model's result for the first seed, if it was trained here. */
  readonly id?: string | undefined;
}

/** All content of the report, by section. */
export interface Rows {
  readonly sections: readonly Section[];
  readonly failures: readonly FailureRow[];
  /** In the order of their colours. */
  readonly strategies: readonly string[];
  /** More than one if fine-tuning was varied. */
  readonly tunings: readonly string[];
}

/**
 * Converts records to rows: later results of the same cell replace earlier ones, and seeds are combined. `references`
 * holds errors to compare pruned models with, by the name of the model; throws an EspalierError if there is no such
 * model.
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

/** The last result of each cell; a failure only if there is nothing better. */
export function latestResults(records: readonly ResultRecord[]): ResultRecord[] {
  const byId = new Map<string, ResultRecord>();
  for (const record of records) {
    const known = byId.get(record.id);
    if (known === undefined || !isFailure(record) || isFailure(known)) byId.set(record.id, record);
  }
  return [...byId.values()];
}

/** The subject of a section: the dense model without its seed, and the data by content. */
function settingOf({ cell, environment }: ResultRecord): unknown {
  const { seed: _, data, ...rest } = denseCell(cell);
  const { dataset: _name, ...lengths } = data;
  return { ...rest, data: lengths, checksum: environment.dataChecksum };
}

function sectionOptions({ data, training, backend }: TrainCell, checksum: string): Record<string, unknown> {
  const { dataset: _, ...lengths } = data;
  return { ...lengths, training, trainedOn: backend, checksum: checksum.slice(0, 8) };
}
