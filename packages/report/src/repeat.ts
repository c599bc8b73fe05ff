import {
  type Cell,
  denseCell,
  type Environment,
  type PruneCell,
  type ResultRecord,
  type SweepInput,
} from "@espalier/bench";
import { groupBy } from "./labels.ts";

/** A data set by name, with the checksum of the bytes that were read. */
export interface DataIdentity {
  readonly dataset: string;
  readonly checksum: string;
}

/** The environment without date, data, and what differs between backends of one machine. */
export type Machine = Omit<Environment, "date" | "dataChecksum" | "simd">;

/** The machines and package versions that results come from. */
export function machinesOf(records: readonly ResultRecord[]): Machine[] {
  const machines = records.map(
    ({ environment: { date: _, dataChecksum: __, simd: ___, ...machine } }) => machine,
  );
  return groupBy(machines, (machine) => machine).map(([first]) => first!);
}

/** Data sets of results, each with its checksum. */
export function dataOf(records: readonly ResultRecord[]): DataIdentity[] {
  const all = records.map(({ cell, environment }) => ({
    dataset: denseCell(cell).data.dataset,
    checksum: environment.dataChecksum,
  }));
  // Grouped by both as text: the same bytes under two names are listed twice.
  return groupBy(all, ({ dataset, checksum }) => `${dataset} ${checksum}`).map(([first]) => first!);
}

/**
 * Sweep configurations that repeat these cells: one for each combination of lengths and training. A sweep runs every
 * combination of its lists, so if only some were run, the others run as well.
 */
export function configurationsOf(records: readonly ResultRecord[]): SweepInput[] {
  const cells = records.map(({ cell }) => cell);
  const groups = groupBy(cells, (cell) => {
    const { data, training, backend } = denseCell(cell);
    const { dataset: _, ...lengths } = data;
    return { lengths, training, backend };
  });
  return groups.map(configurationOf);
}

function configurationOf(cells: readonly Cell[]): SweepInput {
  const dense = cells.map(denseCell);
  const pruned = cells.flatMap((cell): PruneCell[] =>
    cell.kind === "prune" ? [cell] : cell.kind === "latency" ? [cell.pruned] : [],
  );
  const timed = cells.filter((cell) => cell.kind === "latency");
  const targets = unique(pruned.map(({ target }) => target));
  const timedTargets = unique(timed.map((cell) => cell.pruned.target));
  const sensitivity = cells.find((cell) => cell.kind === "sensitivity")?.sensitivity;
  const { data, training, backend } = dense[0]!;
  const { dataset: _, ...lengths } = data;
  const last = timed.at(-1);
  return {
    models: unique(dense.map(({ model }) => model)) as SweepInput["models"],
    datasets: unique(dense.map((cell) => cell.data.dataset)) as SweepInput["datasets"],
    ...lengths,
    ...(pruned.length === 0
      ? {}
      : {
          ...procedures(pruned, targets),
        }),
    training,
    trainingBackend: backend,
    ...(last === undefined
      ? {}
      : {
          backends: unique(timed.map((cell) => cell.backend)),
          batchSizes: unique(timed.map(({ batch }) => batch)),
          latency: last.latency,
          ...(timedTargets.length < targets.length ? { timedTargets } : {}),
        }),
    ...(sensitivity === undefined ? {} : { sensitivity }),
    seeds: unique(dense.map(({ seed }) => seed)),
  } as SweepInput;
}

/** Strategies with their fine-tuning, and recipes. */
function procedures(
  cells: readonly PruneCell[],
  targets: readonly PruneCell["target"][],
): Partial<SweepInput> {
  const byStrategy = cells.flatMap((cell) => ("strategy" in cell ? [cell] : []));
  const recipes = unique(cells.flatMap((cell) => ("recipe" in cell ? [cell.recipe] : [])));
  const [first] = byStrategy;
  return {
    ...(first && {
      strategies: unique(byStrategy.map(({ strategy }) => strategy)),
      targets,
      fineTuning: unique(byStrategy.map(({ fineTuning }) => fineTuning)),
      ...(first.reconstruction && { reconstruction: first.reconstruction }),
      ...(first.schedule && { schedule: first.schedule }),
    }),
    ...(recipes.length > 0 && { recipes, targets }),
  } as Partial<SweepInput>;
}

function unique<T>(values: readonly T[]): T[] {
  return groupBy(values, (value) => value).map(([first]) => first!);
}
