import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Cell,
  CellRunner,
  cellId,
  type DataPlaces,
  denseCell,
  type ResultRecord,
  SweepData,
} from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import { filesOf, renamed, withDense } from "./cells.ts";
import type { Database } from "./database.ts";
import { Files } from "./files.ts";
import type { Job, Lane } from "./leases.ts";
import type { Objects } from "./objects.ts";
import { QueueStore } from "./queue-store.ts";

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
  readonly record: ResultRecord;
  /** Models that it made, as files, by the name of the cell that they belong to. */
  readonly models: ReadonlyMap<string, Uint8Array>;
  /** Whether the cell could not run because one that it needs had failed. */
  readonly neededFailed: boolean;
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
    const { registry, threads = 1, versions } = this.#options;
    const { cell, checksums } = await this.#here(job);
    const id = (any: Cell) => cellId(any, checksums);
    this.#store.begin(id);
    const runner = new CellRunner({
      registry: threads > 1 && needs.takes === "work" ? onThreads(registry, threads) : registry,
      data: this.#data,
      store: this.#store,
      checksums,
      id,
      signal,
      versions,
    });
    const record = await runner.run(cell);
    const { fault, made: models, neededFailed } = this.#store;
    if (fault !== undefined) throw fault;
    return record && { record, models, neededFailed };
  }

  /** The cell with this machine's paths, its data loaded and compared with what was submitted. */
  async #here({ cell, held }: Job): Promise<{ cell: Cell; checksums: ReadonlyMap<string, string> }> {
    const paths = new Map<string, string>();
    for (const name of filesOf(denseCell(cell))) paths.set(name, await this.#files.path(name));
    const own = withDense(cell, (dense) => renamed(dense, (name) => paths.get(name) ?? name));
    const { data } = denseCell(own);
    const checksums = new Map([[data.dataset, (await this.#data.source(data)).checksum]]);
    for (const [name, path] of paths) checksums.set(path, name.slice(7, 71));
    // The name is a hash of all that the cell is: data of another content, or a changed cell, do not have it.
    if (cellId(own, checksums) !== held.cell)
      throw new EspalierError(
        `data ${data.dataset}: on this machine it is not what the sweep was submitted with (the checksum differs).`,
      );
    return { cell: own, checksums };
  }
}

/** A registry whose wasm runs on several threads: the results are the same. */
function onThreads(registry: Registry, threads: number): Registry {
  return { ...registry, backend: (name) => registry.backend(name === "wasm" ? `wasm:${threads}` : name) };
}
