import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Cell,
  CellRunner,
  cellId,
  type DataPlaces,
  denseCell,
  environment,
  isFailure,
  packageVersions,
  type ResultRecord,
  readCell,
  SweepData,
} from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import { type Held, Jobs, lostQueue } from "./boss.ts";
import { filesOf, renamed, withDense } from "./cells.ts";
import { Database, pause } from "./database.ts";
import { Files } from "./files.ts";
import { finish, giveBack, LeaseLost } from "./finish.ts";
import { type Needs, type Offer, readNeeds, refusal } from "./lanes.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { Objects } from "./objects.ts";
import { QueueStore } from "./queue-store.ts";
import { prepareTables } from "./schema.ts";

/** How a worker works. */
export interface WorkerOptions {
  /** URL of the PostgreSQL database. What it leaves out comes from `PGUSER`, `PGPASSWORD` and so on. */
  readonly queue: string;
  readonly registry: Registry;
  /** Checksums of plug-ins, by the strategy that they bring. */
  readonly plugins?: Readonly<Record<string, string>>;
  /** The only backends to use; all that are available by default. */
  readonly backends?: readonly string[] | undefined;
  /** Take only cells that train and prune, or only those that take times. */
  readonly only?: Needs["takes"] | undefined;
  /** Threads of wasm for cells that take no times; 1 by default. */
  readonly threads?: number | undefined;
  /** Go on when there is nothing to do. */
  readonly keepWaiting?: boolean | undefined;
  /** How often a cell that throws is tried before it counts as failed; 3 by default. */
  readonly tries?: number;
  readonly data?: DataPlaces;
  /** Folder for users' files; one in the system's folder for temporary files by default. */
  readonly files?: string | undefined;
  readonly versions?: Readonly<Record<string, string>>;
  /** Ends the worker; the cell that it runs is given back. */
  readonly signal?: AbortSignal;
  /** Called when a cell starts, and when it ends. */
  readonly onCell?: (event: WorkerEvent) => void;
  /** Told what a person at the worker should know. */
  readonly onNote?: (line: string) => void;
  /** Runs a cell in place of the standard way; for tests of the queue itself. */
  readonly execute?: (cell: Cell, id: string) => Promise<ResultRecord | undefined>;
}

/** A cell that a worker has begun or ended. */
export interface WorkerEvent {
  readonly cell: Cell;
  readonly outcome: "started" | "done" | "failed" | "retried" | "lost";
  readonly record?: ResultRecord;
}

/**
 * Takes cells until there are none. Gives how many it has finished. Throws an EspalierError if the database cannot be
 * used, if it could take none of the cells that there are, or if this machine fails (its disk, its data).
 */
export async function work(options: WorkerOptions): Promise<{ readonly done: number }> {
  const { signal, onNote } = options;
  const database = new Database(options.queue, { name: "espalier worker", signal, onLost: onNote });
  try {
    await database.connect();
    await prepareTables(database);
    const lease = await leaseOf(database);
    const jobs = await Jobs.open(database, Math.max(2, Math.round(lease / 6)));
    const worker = new Worker(options, database, jobs, thisMachine());
    try {
      return await worker.run();
    } finally {
      await worker.leave().catch(() => {});
      await jobs.stop();
    }
  } finally {
    await database.close().catch(() => {});
  }
}

/** The shortest lease among the lanes. */
async function leaseOf(database: Database): Promise<number> {
  const { rows } = await database.query<{ lease: number | null }>(
    "SELECT min(lease) AS lease FROM espalier.lane",
  );
  return rows[0]?.lease ?? 60;
}

interface Lane {
  readonly name: string;
  readonly needs: Needs;
  readonly lease: number;
}

interface Job {
  readonly held: Held;
  readonly lane: Lane;
  readonly cell: Cell;
  readonly priority: number;
}

/** Milliseconds between two looks for work, longer and longer while there is none, and for lanes that are new. */
const [idle, longest, lanesEvery] = [500, 5000, 5000];

class Worker {
  readonly #id = randomUUID();
  readonly #options: WorkerOptions;
  readonly #database: Database;
  readonly #jobs: Jobs;
  readonly #machine: Machine;
  readonly #offer: Offer;
  readonly #store: QueueStore;
  readonly #objects: Objects;
  readonly #files: Files;
  readonly #data: SweepData;
  #lanes: readonly Lane[] = [];
  #refusals: readonly string[] = [];
  #lanesAt = Number.NEGATIVE_INFINITY;
  #done = 0;
  #fault: unknown;

  constructor(options: WorkerOptions, database: Database, jobs: Jobs, machine: Machine) {
    const { registry, plugins = {}, backends, only } = options;
    this.#options = options;
    this.#database = database;
    this.#jobs = jobs;
    this.#machine = machine;
    this.#offer = { registry, plugins, backends, only, host: machine.host, processor: machine.processor };
    this.#objects = new Objects(database);
    this.#store = new QueueStore(database, this.#objects);
    this.#files = new Files(options.files ?? join(tmpdir(), "espalier-fleet"), this.#objects);
    this.#data = new SweepData(registry, { ...options.data, signal: options.signal });
  }

  async run(): Promise<{ done: number }> {
    const { signal, keepWaiting = false } = this.#options;
    await this.#enter();
    for (let looks = 0; !signal?.aborted; looks++) {
      await this.#lookForLanes();
      const job = (await this.#takeWork()) ?? (await this.#takeTimes()) ?? (await this.#takeLost());
      if (job !== undefined) {
        await this.#process(job);
        looks = 0;
        continue;
      }
      if (!keepWaiting && !(await this.#moreToCome())) break;
      await this.#beat();
      await pause(Math.min(longest, idle * 1.3 ** looks) * (0.75 + Math.random() / 2), signal);
    }
    return { done: this.#done };
  }

  /** Lets others have the machine at once. */
  async leave(): Promise<void> {
    await this.#database.query("DELETE FROM espalier.worker WHERE id = $1", [this.#id]);
  }

  async #enter(): Promise<void> {
    const { key, host, processor } = this.#machine;
    await this.#database.query(
      "DELETE FROM espalier.worker WHERE seen < now() - greatest(lease, 3600) * interval '1 second'",
    );
    await this.#database.query(
      `INSERT INTO espalier.worker (id, machine, host, processor, lease) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (id) DO NOTHING`,
      [this.#id, key, host, processor, await leaseOf(this.#database)],
    );
  }

  /** Which lanes this worker serves; what they need may be new to it. */
  async #lookForLanes(): Promise<void> {
    if (performance.now() - this.#lanesAt < lanesEvery && this.#lanes.length > 0) return;
    this.#lanesAt = performance.now();
    const { rows } = await this.#database.query<{ name: string; needs: unknown; lease: number }>(
      `SELECT name, needs, lease FROM espalier.lane l
       WHERE EXISTS (SELECT 1 FROM espalier.cell c WHERE c.lane = l.name AND c.state IN ('waiting', 'queued'))`,
    );
    const lanes: Lane[] = [];
    const refusals = new Set<string>();
    for (const { name, needs: given, lease } of rows) {
      const needs = readNeeds(given);
      const reason = await refusal(needs, this.#offer);
      if (reason === undefined) lanes.push({ name, needs, lease });
      else refusals.add(reason);
    }
    for (const reason of refusals)
      if (!this.#refusals.includes(reason))
        this.#options.onNote?.(`some cells are left to others: ${reason}`);
    this.#lanes = lanes;
    this.#refusals = [...refusals];
  }

  /** Whether cells of this worker's lanes are left, running elsewhere or waiting for others. */
  async #moreToCome(): Promise<boolean> {
    this.#lanesAt = Number.NEGATIVE_INFINITY;
    await this.#lookForLanes();
    if (this.#lanes.length > 0) return true;
    const [reason] = this.#refusals;
    if (reason !== undefined && this.#done === 0)
      throw new EspalierError(`this worker can take none of the cells in the queue: ${reason}.`);
    return false;
  }

  async #takeWork(): Promise<Job | undefined> {
    const lanes = this.#lanes.filter(({ needs }) => needs.takes === "work");
    if (lanes.length === 0 || !(await this.#takeMachine(false))) return undefined;
    return this.#takeFrom(lanes);
  }

  async #takeTimes(): Promise<Job | undefined> {
    const lanes = this.#lanes.filter(({ needs }) => needs.takes === "times");
    return lanes.length === 0 ? undefined : this.#takeFrom(lanes);
  }

  async #takeFrom(lanes: readonly Lane[]): Promise<Job | undefined> {
    for (const lane of lanes) {
      const held = await this.#jobs.take(lane.name);
      if (held === undefined) continue;
      const { rows } = await this.#database.query<{
        spec: unknown;
        state: string;
        lane: string;
        priority: number;
      }>("SELECT spec, state, lane, priority FROM espalier.cell WHERE id = $1", [held.cell]);
      const row = rows[0];
      if (row?.state !== "queued" || row.lane !== lane.name) {
        // Done by somebody whose lease had run out, cancelled, or submitted anew for other workers.
        await this.#database.transaction((client) => this.#jobs.complete(held, client));
        return this.#takeFrom(lanes);
      }
      const cell = readCell(row.spec, `queue, cell ${held.cell}`);
      return { held, lane, cell, priority: row.priority };
    }
    return undefined;
  }

  /** A cell whose workers were lost again and again is recorded as failed, by whoever comes upon it. */
  async #takeLost(): Promise<undefined> {
    const held = await this.#jobs.take(lostQueue);
    if (held === undefined) return undefined;
    const { rows } = await this.#database.query<{ data: string }>(
      "SELECT data FROM espalier.cell WHERE id = $1",
      [held.cell],
    );
    const error = "the workers that ran it stopped answering, again and again. Do they have enough memory?";
    const record = {
      error,
      format: 1 as const,
      id: held.cell,
      environment: this.#environment(rows[0]?.data ?? ""),
      seconds: 0,
    };
    await this.#database.transaction((client) =>
      finish(
        held,
        { state: "failed", record, model: undefined, worker: undefined, strict: false },
        this.#jobs,
        client,
      ),
    );
    return undefined;
  }

  #environment(checksum: string): ResultRecord["environment"] {
    const { host } = this.#machine;
    return { ...environment(checksum, { ...packageVersions(), ...this.#options.versions }), host };
  }

  async #takeMachine(alone: boolean): Promise<boolean> {
    const { rows } = await this.#database.query<{ free: boolean | null }>(
      "SELECT espalier.take_machine($1, $2) AS free",
      [this.#id, alone],
    );
    return rows[0]?.free ?? false;
  }

  /** Says that this worker is there. False if the cell that it runs is no longer its own. */
  async #beat(job?: Job): Promise<boolean> {
    const { rows } = await this.#database.query<{ state: string | null }>(
      `UPDATE espalier.worker SET seen = clock_timestamp(), cell = $2, uses = CASE WHEN $2::text IS NULL THEN 'idle' ELSE uses END
       WHERE id = $1 RETURNING (SELECT state FROM espalier.cell WHERE id = $2) AS state`,
      [this.#id, job?.held.cell ?? null],
    );
    if (rows.length === 0) await this.#enter();
    return job === undefined || (rows[0]?.state !== "cancelled" && (await this.#extend(job.held)));
  }

  #extend(held: Held): Promise<boolean> {
    return this.#database.retry(() => this.#jobs.extend(held));
  }

  /** Runs a cell while the lease is extended; the end of the lease, of the sweep or of the worker ends the run. */
  async #process(job: Job): Promise<void> {
    const { signal, onCell } = this.#options;
    const stop = new AbortController();
    const given = () => stop.abort(signal?.reason);
    signal?.addEventListener("abort", given, { once: true });
    if (signal?.aborted) given();
    const beating = this.#beatUntil(stop.signal, job, () => stop.abort(new LeaseLost()));
    onCell?.({ cell: job.cell, outcome: "started" });
    try {
      if (job.lane.needs.takes === "times") await this.#waitForMachine(stop.signal);
      const record = stop.signal.aborted ? undefined : await this.#run(job, stop.signal);
      if (record === undefined || stop.signal.aborted) await this.#putBack(job, stop.signal);
      else await this.#conclude(job, record);
    } catch (error) {
      if (!(error instanceof LeaseLost)) {
        // What is wrong is this machine, not the cell: others may do better.
        await this.#database
          .transaction((client) => giveBack(job.held, job.priority, this.#jobs, client))
          .catch(() => {});
        throw error;
      }
      onCell?.({ cell: job.cell, outcome: "lost" });
    } finally {
      stop.abort();
      signal?.removeEventListener("abort", given);
      await beating;
      await this.#beat().catch(() => false);
    }
    if (this.#fault !== undefined) throw this.#fault;
  }

  async #beatUntil(signal: AbortSignal, job: Job, lost: () => void): Promise<void> {
    const every = (1000 * job.lane.lease) / 4;
    try {
      while (!signal.aborted) {
        if (!(await this.#beat(job)) && !signal.aborted) lost();
        await pause(every, signal);
      }
    } catch (error) {
      // Patience with the database is over.
      this.#fault = error;
      lost();
    }
  }

  async #waitForMachine(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !(await this.#takeMachine(true))) await pause(idle, signal);
  }

  async #run(job: Job, signal: AbortSignal): Promise<ResultRecord | undefined> {
    const { registry, execute, threads = 1 } = this.#options;
    if (execute !== undefined) return execute(job.cell, job.held.cell);
    const { cell, checksums } = await this.#here(job);
    const id = (any: Cell) => cellId(any, checksums);
    this.#store.begin(id);
    const runner = new CellRunner({
      registry: threads > 1 && job.lane.needs.takes === "work" ? onThreads(registry, threads) : registry,
      data: this.#data,
      store: this.#store,
      checksums,
      id,
      signal,
      versions: this.#options.versions,
    });
    const record = await runner.run(cell);
    if (this.#store.fault !== undefined) throw this.#store.fault;
    return record;
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

  async #putBack(job: Job, signal: AbortSignal): Promise<void> {
    if (signal.reason instanceof LeaseLost) {
      this.#options.onCell?.({ cell: job.cell, outcome: "lost" });
      return;
    }
    await this.#database.transaction((client) => giveBack(job.held, job.priority, this.#jobs, client));
  }

  async #conclude(job: Job, record: ResultRecord): Promise<void> {
    const { held, cell, lane } = job;
    const { onCell, tries = 3 } = this.#options;
    const failed = isFailure(record);
    if (failed && !this.#store.neededFailed && (await this.#mayTryAgain(held, tries, record.error))) {
      onCell?.({ cell, outcome: "retried", record });
      return;
    }
    const models = new Map<string, string>();
    if (!failed) for (const [id, bytes] of this.#store.made) models.set(id, await this.#objects.put(bytes));
    const { cell: _, ...rest } = record;
    const { host } = this.#machine;
    const stored = { ...rest, environment: { ...record.environment, host } };
    const finished = await this.#database.transaction(async (client) => {
      // Models of other cells that were not stored any more, and had to be made again.
      for (const [id, model] of models)
        await client.query(
          "UPDATE espalier.cell SET model = $2 WHERE id = $1 AND id <> $3 AND model IS NULL",
          [id, model, held.cell],
        );
      const strict = lane.needs.takes === "times";
      const model = models.get(held.cell);
      const state = failed ? "failed" : "done";
      return finish(held, { state, record: stored, model, worker: this.#id, strict }, this.#jobs, client);
    });
    if (finished) this.#done++;
    onCell?.({ cell, outcome: finished ? (failed ? "failed" : "done") : "lost", record });
  }

  /** Counts a try that failed; whether there is another. */
  async #mayTryAgain(held: Held, tries: number, error: string): Promise<boolean> {
    return this.#database.transaction(async (client) => {
      const { rows } = await client.query<{ tries: number }>(
        "UPDATE espalier.cell SET tries = tries + 1 WHERE id = $1 RETURNING tries",
        [held.cell],
      );
      if ((rows[0]?.tries ?? tries) >= tries) return false;
      await this.#jobs.fail(held, client, error);
      return true;
    });
  }
}

/** A registry whose wasm runs on several threads: the results are the same. */
function onThreads(registry: Registry, threads: number): Registry {
  return { ...registry, backend: (name) => registry.backend(name === "wasm" ? `wasm:${threads}` : name) };
}
