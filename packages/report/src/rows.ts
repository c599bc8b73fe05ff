import {
  denseCell,
  isFailure,
  isLatency,
  isPrune,
  isSensitivity,
  isTrain,
  procedureOf,
  type ResultRecord,
  type TrainCell,
} from "@espalier/bench";
import { unknownName } from "@espalier/core/documents";
import { denseRow, runRow, timingRows } from "./aggregate.ts";
import { datasetLabel, distinctLabels, groupBy, slugs } from "./labels.ts";
import { describeCell, namesOf } from "./names.ts";
import type { Rows, Section } from "./section.ts";

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
    const given = references[names.model(cell.model)];
    const runs = groupBy(pruned, ({ cell: c }) => [
      procedureOf(c),
      c.target,
      "strategy" in c ? c.fineTuning : {},
    ]).map((g) => runRow(g, names, given));
    return {
      title: titles[i]!,
      slug: files[i]!,
      model: names.model(cell.model),
      dataset: datasetLabel(cell.data.dataset),
      lengths: `${cell.data.inputLength} → ${cell.data.horizon}`,
      dense,
      reference: given ?? dense.errors.mse.mean,
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

function sectionOptions(
  { data, training, backend, store }: TrainCell,
  checksum: string,
): Record<string, unknown> {
  const { dataset: _, ...lengths } = data;
  return { ...lengths, training, trainedOn: backend, store, checksum: checksum.slice(0, 8) };
}
