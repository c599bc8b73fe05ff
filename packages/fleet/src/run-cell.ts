import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cell, CellRunner, cellId, type DataPlaces, isFailure, SweepData } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import type { LoadedDataset } from "@espalier/datasets";
import { encodeModel } from "@espalier/formats";
import type { Registry } from "@espalier/recipe";
import { dataOf, filesOf, renamed } from "./cells.ts";
import type { Database } from "./database.ts";
import { Files } from "./files.ts";
import type { Job, Lane } from "./leases.ts";
import type { Objects } from "./objects.ts";
import { QueueStore } from "./queue-store.ts";
import { type QueuedCell, type QueuedRecord, runTrialCell } from "./trial.ts";

/** How cells are run. */
export interface RunOptions {
  readonly registry: Registry;
  /** Threads of wasm for cells that take no times; 1 by default. */
  readonly threads?: number | undefined;
  readonly data?: DataPlaces;
  /** Folder for users' files; one in the system's folder for temporary files by default. */
  readonly files?: string | undefined;
  readonly versions?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Outcome of a run. */
export interface Ran {
  readonly record: QueuedRecord;
  /** Models that it made, as files, by the name of the cell that they belong to. */
  readonly models: ReadonlyMap<string, Uint8Array>;
  /** Whether another try would end in the same way: it succeeded, its recipe cannot be carried out, or a cell that it needs had failed. */
  readonly certain: boolean;
}

/** Runs cells as data: with this machine's files, which must be those that were submitted. */
export class Runs {
  readonly #options: RunOptions;
  readonly #store: QueueStore;
  readonly #files: Files;
  readonly #data: SweepData;

  constructor(options: RunOptions, database: Database, objects: Objects) {
    this.#options = options;
    this.#store = new QueueStore(database, objects);
    this.#files = new Files(options.files ?? join(tmpdir(), "espalier-fleet"), objects);
    this.#data = new SweepData(options.registry, { ...options.data, signal: options.signal });
  }

  /** Undefined if the signal ended the run. Throws what is this machine's fault, or the database's. */
  async run(job: Job, { needs }: Lane, signal: AbortSignal): Promise<Ran | undefined> {
    const { threads = 1, versions } = this.#options;
    const { cell, checksums, source } = await this.#here(job);
    const registry =
      threads > 1 && needs.takes === "work"
        ? onThreads(this.#options.registry, threads)
        : this.#options.registry;
    if (cell.kind === "trial") {
      const id = job.held.cell;
      const ran = await runTrialCell(cell, { id, registry, source, versions, signal });
      if (ran === undefined) return undefined;
      const { record, model, certain } = ran;
      return { record, models: new Map(model && [[id, encodeModel(model)]]), certain };
    }
    const id = (any: Cell) => cellId(any, checksums);
    this.#store.begin(id);
    const runner = new CellRunner({
      ...{ registry, checksums, id, signal, versions },
      data: this.#data,
      store: this.#store,
    });
    const record = await runner.run(cell);
    const { fault, made: models, neededFailed } = this.#store;
    if (fault !== undefined) throw fault;
    return record && { record, models, certain: neededFailed || !isFailure(record) };
  }

  /** The cell with this machine's paths, its data loaded and compared with what was submitted. */
  async #here({ cell, held }: Job): Promise<{
    readonly cell: QueuedCell;
    readonly checksums: ReadonlyMap<string, string>;
    readonly source: LoadedDataset;
  }> {
    const paths = new Map<string, string>();
    for (const name of filesOf(cell)) paths.set(name, await this.#files.path(name));
    const own = renamed(cell, paths);
    const data = dataOf(own);
    const source = await this.#data.source(data);
    const checksums = new Map([[data.dataset, source.checksum]]);
    for (const [name, path] of paths) checksums.set(path, name.slice(7, 71));
    // The name is a hash of all that the cell is: data of another content, or a changed cell, do not have it.
    if (cellId(own, checksums) !== held.cell)
      throw new EspalierError(
        `data ${data.dataset}: on this machine it is not what was submitted (the checksum differs).`,
      );
    return { cell: own, checksums, source };
  }
}

/** A registry whose wasm runs on several threads: the results are the same. */
function onThreads(registry: Registry, threads: number): Registry {
  return { ...registry, backend: (name) => registry.backend(name === "wasm" ? `wasm:${threads}` : name) };
}
