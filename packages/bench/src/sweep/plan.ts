import { createHash } from "node:crypto";
import type { LoadedDataset } from "@espalier/datasets";
import { readBytes } from "@espalier/formats/node";
import type { Registry } from "@espalier/recipe";
import { withAvailableBackends } from "./backends.ts";
import { type Cell, cellId, cellsOf } from "./cells.ts";
import { checkSweep } from "./check.ts";
import type { SweepConfig } from "./config.ts";
import type { SweepData } from "./sweep-data.ts";

/** A cell and its name. */
export interface PlannedCell {
  readonly id: string;
  readonly cell: Cell;
}

/** Everything a sweep does, before any of it is done. */
export interface SweepPlan {
  /** All cells, each after what it depends on. */
  readonly cells: readonly PlannedCell[];
  /** Checksums of data sets and files of weights, by the names that cells have for them. */
  readonly checksums: ReadonlyMap<string, string>;
}

/**
 * The cells of a sweep. Reads its data. Throws an EspalierError if that fails, or if no cell could run with a name or an
 * option.
 */
export async function planSweep(
  config: SweepConfig,
  registry: Registry,
  data: SweepData,
): Promise<SweepPlan> {
  const named = await withAvailableBackends(config, registry);
  const checksums = new Map<string, string>();
  const loaded: LoadedDataset[] = [];
  for (const dataset of named.datasets) {
    const source = await data.source({ ...named, dataset });
    checksums.set(dataset, source.checksum);
    loaded.push(source);
  }
  for (const path of weightsIn(named)) checksums.set(path, await fileChecksum(path));
  checkSweep(named, registry, loaded);
  return { cells: cellsOf(named).map((cell) => ({ id: cellId(cell, checksums), cell })), checksums };
}

function weightsIn({ models }: SweepConfig): string[] {
  return models.flatMap(({ weights }) => (typeof weights === "string" ? [weights] : []));
}

async function fileChecksum(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readBytes(path, "weights"))
    .digest("hex");
}
