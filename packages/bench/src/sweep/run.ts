import { join } from "node:path";
import { makeFolder, takeLock } from "@espalier/formats/node";
import type { Registry } from "@espalier/recipe";
import type { OnProgress } from "@espalier/training";
import { openResults } from "../results/file.ts";
import { isFailure, type ResultRecord } from "../results/records.ts";
import { CellRunner } from "./cell-runner.ts";
import { type Cell, cellId } from "./cells.ts";
import type { SweepConfig } from "./config.ts";
import { FolderStore } from "./folder-store.ts";
import { planSweep } from "./plan.ts";
import { type DataPlaces, SweepData } from "./sweep-data.ts";

/** Options of a run of a sweep. */
export interface SweepOptions {
  /** Folder for `results.jsonl` and the models; created if it does not exist. Existing results are not computed again. */
  readonly out: string;
  readonly registry: Registry;
  readonly signal?: AbortSignal;
  /** Data set folder, cache and download settings. */
  readonly data?: DataPlaces;
  /** Versions of further packages, for the record. */
  readonly versions?: Readonly<Record<string, string>>;
  /** Called when a cell starts, and when it ends. */
  readonly onCell?: (event: CellEvent) => void;
  readonly onProgress?: OnProgress;
}

/** The outcome of a cell. */
export interface CellEvent {
  readonly done: number;
  readonly total: number;
  readonly cell: Cell;
  readonly outcome: "started" | "done" | "kept" | "failed";
  readonly record?: ResultRecord;
}

/** The outcome of a sweep. */
export interface SweepResult {
  /** Path of the results file. */
  readonly results: string;
  /** Results of this sweep's cells; the file may hold others. */
  readonly records: readonly ResultRecord[];
  readonly done: number;
  readonly kept: number;
  readonly failed: number;
  readonly aborted: boolean;
}

/**
 * Runs every cell of a sweep that has no result in the folder, and writes each result as soon as it is done. Throws an
 * EspalierError if the data cannot be read, or a name or an option is unknown; after that a failure only affects its
 * cell and those that depend on it.
 */
export async function runSweep(config: SweepConfig, options: SweepOptions): Promise<SweepResult> {
  const { out, registry, signal, onCell } = options;
  await makeFolder(join(out, "models"));
  const release = await lockSweep(out);
  try {
    const results = join(out, "results.jsonl");
    const file = await openResults(results);
    const data = new SweepData(registry, { ...options.data, signal });
    const { cells, checksums } = await planSweep(config, registry, data);
    const id = (cell: Cell) => cellId(cell, checksums);
    const store = new FolderStore(join(out, "models"), file, id);
    const runner = new CellRunner({ ...options, data, checksums, store, id });
    const known = new Set(file.records.flatMap((record) => (isFailure(record) ? [] : [record.id])));
    const counts = { done: 0, kept: 0, failed: 0, aborted: false };
    for (const [i, { id: name, cell }] of cells.entries()) {
      const at = { done: i, total: cells.length, cell };
      if (known.has(name)) {
        counts.kept++;
        onCell?.({ ...at, outcome: "kept" });
        continue;
      }
      if (!signal?.aborted) onCell?.({ ...at, outcome: "started" });
      const record = signal?.aborted ? undefined : await runner.run(cell);
      counts.aborted = record === undefined;
      if (record === undefined) break;
      await file.append(record);
      const failed = isFailure(record);
      if (failed) store.fail(name, record.error);
      else known.add(name);
      counts[failed ? "failed" : "done"]++;
      onCell?.({ ...at, done: i + 1, outcome: failed ? "failed" : "done", record });
    }
    const own = new Set(cells.map((planned) => planned.id));
    return { results, records: file.records.filter((record) => own.has(record.id)), ...counts };
  } finally {
    await release();
  }
}

/**
 * Keeps every other sweep out of a folder, until the function that it gives is called: two would do everything twice, each
 * timed under the other's load. Throws an EspalierError that says who is at work there.
 */
export function lockSweep(out: string): Promise<() => Promise<void>> {
  return takeLock(join(out, "sweep.lock"), out);
}
