import {
  type Cell,
  denseCell,
  labelOf,
  type PruneCell,
  procedureOf,
  type ResultRecord,
} from "@espalier/bench";
import type { Metric } from "@espalier/core";
import { targetText, type UseConfig } from "@espalier/recipe";
import { datasetLabel, distinctLabels, groupBy } from "./labels.ts";

/** Names of models, strategies and variants of fine-tuning throughout a report. */
export interface Names {
  readonly strategies: readonly string[];
  readonly tunings: readonly string[];
  model(use: UseConfig): string;
  /** Whatever prunes in a cell: a strategy or a recipe. */
  procedure(cell: PruneCell): string;
  /** The fine-tuning of a cell; recipes describe it themselves. */
  tuning(cell: PruneCell): string;
}

/** The target of a cell: `sparsity ≥ 80 %`, with all goals if there are several. */
export function targetOf({ target }: PruneCell): string {
  const goals = Object.entries(target) as [Metric, number][];
  return goals.map(([metric, asked]) => targetText({ metric, asked })).join(", ");
}

export function namesOf(records: readonly ResultRecord[]): Names {
  const cells = records.map(({ cell }) => cell);
  const pruneCells = cells.flatMap((cell) =>
    cell.kind === "prune" ? [cell] : cell.kind === "latency" ? [cell.pruned] : [],
  );
  const uses = (all: readonly UseConfig[]) => named(all, (use) => use, labelOf);
  const models = uses(cells.map((cell) => denseCell(cell).model));
  const procedures = new Map(pruneCells.map((cell) => [cell, procedureOf(cell)]));
  const strategies = uses([...procedures.values()]);
  const tunings = named(
    pruneCells.flatMap((cell) => ("strategy" in cell ? [cell.fineTuning] : [])),
    ({ epochs: _, ...options }) => options,
    ({ epochs }) => (epochs === 0 ? "none" : `${epochs} epoch${epochs === 1 ? "" : "s"}`),
  );
  return {
    strategies: strategies.all,
    tunings: tunings.all,
    model: models.of,
    procedure: (cell) => strategies.of(procedures.get(cell)!),
    tuning: (cell) => ("strategy" in cell ? tunings.of(cell.fineTuning) : "recipe"),
  };
}

/** Labels of all different items, by key. */
function named<T extends object>(
  all: readonly T[],
  optionsOf: (item: T) => Readonly<Record<string, unknown>>,
  labelOfItem: (item: T) => string,
): { readonly all: readonly string[]; of(item: T): string } {
  const groups = groupBy(all, (item) => item);
  const labels = distinctLabels(
    groups.map(([first]) => {
      const { label: _, ...options } = optionsOf(first!);
      return { label: labelOfItem(first!), options };
    }),
  );
  const byItem = new Map(groups.flatMap((group, i) => group.map((item) => [item, labels[i]!] as const)));
  return { all: labels, of: (item) => byItem.get(item)! };
}

/** A cell in words. */
export function describeCell(cell: Cell, names: Names): string {
  const { model, data, seed } = denseCell(cell);
  const dense = `${names.model(model)} on ${datasetLabel(data.dataset)}, seed ${seed}`;
  if (cell.kind === "train") return `training ${dense}`;
  if (cell.kind === "sensitivity") return `pruning single layers of ${dense}`;
  const pruned = cell.kind === "prune" ? cell : cell.pruned;
  const run = `${names.procedure(pruned)} at ${targetOf(pruned)} of ${dense}`;
  if (cell.kind === "latency") return `timing ${run}, ${cell.backend}, batch ${cell.batch}`;
  return names.tunings.length > 1 ? `pruning ${run}, fine-tuning ${names.tuning(pruned)}` : `pruning ${run}`;
}
