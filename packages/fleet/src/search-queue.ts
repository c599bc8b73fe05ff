import { readFile } from "node:fs/promises";
import { cellId } from "@espalier/bench";
import { EspalierError, type Model } from "@espalier/core";
import { isDataFile } from "@espalier/datasets/node";
import { decodeModel, encodeModel } from "@espalier/formats";
import {
  type HandedOut,
  type Measured,
  modelName,
  type TrialOutcome,
  type TrialQueue,
} from "@espalier/search";
import { Jobs } from "./boss.ts";
import { nameOf } from "./cells.ts";
import { Database, pause } from "./database.ts";
import type { Setting } from "./lanes.ts";
import { DamagedObject, Objects, sha256 } from "./objects.ts";
import { prepareTables } from "./schema.ts";
import { liveWorkers, type RunningWorker } from "./status.ts";
import { cancelledError, submit } from "./submit.ts";
import type { TrialCell, TrialData } from "./trial.ts";

/** How a search's trials are handed out. */
export interface SearchQueueOptions extends Setting {
  /** URL of the PostgreSQL database. What it leaves out comes from `PGUSER`, `PGPASSWORD` and so on. */
  readonly queue: string;
  /** The model to prune: what the search is given. */
  readonly model: Model;
  /** The data that the search uses, and its checksum. A file is stored for the workers. */
  readonly data: TrialData & { readonly checksum: string };
  /** Seconds after which a worker that says nothing has lost its trial; 60 by default, 10 at least. */
  readonly lease?: number | undefined;
  /** How often a trial's worker may be lost before the trial counts as failed; 5 by default. */
  readonly losses?: number;
  /** Ends the waiting; workers go on. */
  readonly signal?: AbortSignal;
  /** Told once, before any trial: the name of the search in the queue. */
  readonly onBegin?: (search: string) => void;
  /** Told now and then who is at work. */
  readonly onWorkers?: (workers: readonly RunningWorker[]) => void;
  /** Receives remarks for the user, a line each. */
  readonly onNote?: (line: string) => void;
}

interface Row {
  readonly id: string;
  readonly state: "done" | "failed" | "cancelled";
  readonly model: string | null;
  readonly record: {
    readonly result?: Measured;
    readonly error?: string;
    readonly seconds: number;
    readonly environment: { readonly host?: string };
  } | null;
}

/** Milliseconds between two looks for results, and for workers. */
const [every, workersEvery] = [300, 2000];

/**
 * The trials of a search in a queue: each is a cell, named by what it depends on, so that one that was handed out before is
 * found again, by the same search or by another.
 */
export class SearchQueue implements TrialQueue {
  readonly #options: SearchQueueOptions;
  readonly #database: Database;
  readonly #objects: Objects;
  readonly #waiting = new Map<string, PromiseWithResolvers<TrialOutcome>>();
  /** Content that workers need, by the name that trials have for it. */
  readonly #files: ReadonlyMap<string, () => Promise<Uint8Array>>;
  readonly #checksums: ReadonlyMap<string, string>;
  readonly #weights: string;
  readonly #data: TrialData;
  readonly #closed = new AbortController();
  #jobs: Jobs | undefined;
  #search = "";
  #workers = 0;
  #looking: Promise<void> | undefined;
  #fault: unknown;

  constructor(options: SearchQueueOptions) {
    const { queue, model, data, signal, onNote } = options;
    this.#options = options;
    this.#database = new Database(queue, { name: "espalier search", signal, onLost: onNote });
    this.#objects = new Objects(this.#database);
    const { checksum, ...reading } = data;
    const bytes = encodeModel(model);
    const modelSum = sha256(bytes);
    const path = data.dataset;
    const dataset = isDataFile(path) ? nameOf(checksum, path) : path;
    this.#weights = nameOf(modelSum, "model.safetensors");
    this.#data = { ...reading, dataset };
    this.#checksums = new Map([
      [this.#weights, modelSum],
      [dataset, checksum],
    ]);
    this.#files = new Map([
      [this.#weights, async () => bytes],
      ...(isDataFile(path) ? [[dataset, () => readFile(path)] as const] : []),
    ]);
  }

  /** One more than there are workers: none has to wait for the next proposal. */
  get places(): number {
    return this.#workers + 1;
  }

  /** Throws an EspalierError if the database cannot be used. */
  async begin(search: string): Promise<void> {
    const { lease = 60, onBegin } = this.#options;
    await this.#database.connect();
    await prepareTables(this.#database);
    this.#jobs = await Jobs.open(this.#database, Math.max(2, Math.round(lease / 6)));
    this.#search = search.slice(0, 12);
    // The search goes on, if it was cancelled.
    await this.#database.query("UPDATE espalier.sweep SET cancelled = NULL WHERE id = $1", [this.#search]);
    onBegin?.(this.#search);
    await this.#lookForWorkers();
    this.#looking = this.#look();
  }

  async handedOut(trials: readonly HandedOut[]): Promise<readonly HandedOut[]> {
    const byId = new Map(trials.map((trial) => [this.#cellOf(trial).id, trial]));
    const { rows } = await this.#database.query<{ cell: string }>(
      "SELECT cell FROM espalier.sweep_cell WHERE sweep = $1 AND cell = ANY($2)",
      [this.#search, [...byId.keys()]],
    );
    return rows.map(({ cell }) => byId.get(cell)!);
  }

  async run(trial: HandedOut): Promise<TrialOutcome> {
    const { model, lease = 60, losses = 5 } = this.#options;
    const planned = this.#cellOf(trial);
    await this.#storeFiles();
    await submit(
      {
        ...this.#options,
        ...{ lease, losses, id: this.#search, name: `search ${model.name}` },
        plan: { cells: [planned], checksums: this.#checksums },
        names: new Map([...this.#files.keys()].map((name) => [name, name])),
      },
      { database: this.#database, jobs: this.#jobs! },
    );
    if (this.#fault !== undefined) throw this.#fault;
    // Only now: before, the queue may have held an older failure of the same trial, which is tried again.
    const waiting = this.#waiting.get(planned.id) ?? Promise.withResolvers<TrialOutcome>();
    this.#waiting.set(planned.id, waiting);
    return waiting.promise;
  }

  /** Leaves trials in flight to the workers. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#looking;
    await this.#jobs?.stop();
    await this.#database.close().catch(() => {});
  }

  #cellOf({ task, recipe }: HandedOut): { readonly id: string; readonly cell: TrialCell } {
    const cell: TrialCell = {
      kind: "trial",
      label: modelName(task),
      weights: this.#weights,
      data: this.#data,
      recipe: recipe as TrialCell["recipe"],
    };
    return { id: cellId(cell, this.#checksums), cell };
  }

  /** Stored again, if they were removed while no trial was open. */
  async #storeFiles(): Promise<void> {
    const wanted = new Map([...this.#files].map(([name, bytes]) => [this.#checksums.get(name)!, bytes]));
    const { rows } = await this.#database.query<{ sha256: string }>(
      "SELECT sha256 FROM espalier.object WHERE sha256 = ANY($1)",
      [[...wanted.keys()]],
    );
    for (const { sha256: known } of rows) wanted.delete(known);
    for (const [checksum, bytes] of wanted)
      if ((await this.#objects.put(await bytes())) !== checksum)
        throw new EspalierError(`${this.#options.data.dataset} has changed since the search began.`);
  }

  /** Takes results as they come, until the queue is closed. */
  async #look(): Promise<void> {
    const signal = AbortSignal.any([
      this.#closed.signal,
      ...(this.#options.signal ? [this.#options.signal] : []),
    ]);
    try {
      let workersAt = performance.now();
      while (!signal.aborted) {
        if (this.#waiting.size > 0) await this.#take();
        if (performance.now() - workersAt > workersEvery) {
          workersAt = performance.now();
          await this.#lookForWorkers();
          await this.#checkCancelled();
        }
        await pause(every, signal);
      }
      this.#fault = signal.reason;
    } catch (error) {
      this.#fault = error;
    }
    for (const { reject } of this.#waiting.values()) reject(this.#fault);
    this.#waiting.clear();
  }

  async #take(): Promise<void> {
    const { rows } = await this.#database.query<Row>(
      `SELECT id, state, model, record FROM espalier.cell
       WHERE id = ANY($1) AND state IN ('done', 'failed') ORDER BY finished`,
      [[...this.#waiting.keys()]],
    );
    for (const { id, model: name, record } of rows) {
      const { result, error, seconds, environment } = record!;
      const { host } = environment;
      const model = name === null ? undefined : await this.#modelOf(name);
      this.#waiting.get(id)?.resolve({
        ...(result && { result }),
        ...(error !== undefined && { error }),
        ...(host !== undefined && { host }),
        ...(model && { model }),
        seconds,
      });
      this.#waiting.delete(id);
    }
  }

  async #modelOf(name: string): Promise<Model | undefined> {
    try {
      const bytes = await this.#objects.get(name);
      return bytes && decodeModel(bytes, "model of a trial");
    } catch (error) {
      if (!(error instanceof DamagedObject)) throw error;
      this.#options.onNote?.(error.message);
      return undefined;
    }
  }

  async #lookForWorkers(): Promise<void> {
    const workers = await liveWorkers(this.#database, this.#search);
    this.#workers = workers.length;
    this.#options.onWorkers?.(workers);
  }

  async #checkCancelled(): Promise<void> {
    const { count } = await this.#database.query(
      "SELECT 1 FROM espalier.sweep WHERE id = $1 AND cancelled IS NOT NULL",
      [this.#search],
    );
    if (count > 0) throw cancelledError(this.#search);
  }
}
