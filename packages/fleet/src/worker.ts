import { environment, packageVersions } from "@espalier/bench";
import { type Held, Jobs, lostQueue } from "./boss.ts";
import { Database, pause } from "./database.ts";
import { type Finished, finish, LeaseLost } from "./finish.ts";
import type { Needs } from "./lanes.ts";
import { type Batch, type Job, type Lane, Leases, shortestLease } from "./leases.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { Objects } from "./objects.ts";
import { type Ran, type RunOptions, Runs } from "./run-cell.ts";
import { prepareTables } from "./schema.ts";
import type { QueuedCell, QueuedRecord } from "./trial.ts";

/** How a worker works. */
export interface WorkerOptions extends RunOptions {
  /** URL of the PostgreSQL database. What it leaves out comes from `PGUSER`, `PGPASSWORD` and so on. */
  readonly queue: string;
  /** Checksums of plug-ins, by the strategy that they bring. */
  readonly plugins?: Readonly<Record<string, string>>;
  /** The only backends to use; all that are available by default. */
  readonly backends?: readonly string[] | undefined;
  /** Take only cells that train and prune, or only those that take times. */
  readonly only?: Needs["takes"] | undefined;
  /** Go on when there is nothing to do. */
  readonly keepWaiting?: boolean | undefined;
  /** How often a cell that throws is tried before it counts as failed; 3 by default. */
  readonly tries?: number;
  /** Ends the worker; the cell that it runs is given back. */
  readonly signal?: AbortSignal;
  /** Called when a cell starts, and when it ends. */
  readonly onCell?: (event: WorkerEvent) => void;
  /** Told what a person at the worker should know. */
  readonly onNote?: (line: string) => void;
  /** Runs a cell in place of the standard way; for tests of the queue itself. */
  readonly execute?: (cell: QueuedCell, id: string) => Promise<QueuedRecord | undefined>;
}

/** A cell that a worker has begun or ended. */
export interface WorkerEvent {
  readonly cell: QueuedCell;
  readonly outcome: "started" | "done" | "failed" | "retried" | "lost";
  readonly record?: QueuedRecord;
}

/**
 * Takes cells until there are none. Gives how many it has finished. Throws an EspalierError if the database cannot be
 * used, if it could take none of the cells that there are, or if this machine fails (its disk, its data).
 */
export async function work(options: WorkerOptions): Promise<{ readonly done: number }> {
  const { signal, onNote, registry, plugins = {}, backends, only } = options;
  const database = new Database(options.queue, { name: "espalier worker", signal, onLost: onNote });
  try {
    await database.connect();
    await prepareTables(database);
    const lease = await shortestLease(database);
    const jobs = await Jobs.open(database, Math.max(2, Math.round(lease / 6)));
    const machine = thisMachine();
    const leases = new Leases({ database, jobs, machine }, { registry, plugins, backends, only }, onNote);
    try {
      return await new Worker(options, { database, jobs, leases, machine }).run();
    } finally {
      await leases.leave().catch(() => {});
      await jobs.stop();
    }
  } finally {
    await database.close().catch(() => {});
  }
}

interface Parts {
  readonly database: Database;
  readonly jobs: Jobs;
  readonly leases: Leases;
  readonly machine: Machine;
}

/** Milliseconds between two looks for work, longer and longer while there is none. */
const [idle, longest] = [500, 5000];

/** Cells that take less than a second are taken and stored together, as many as fit into one; a hundred at most. */
const [together, most] = [1, 100];

class Worker {
  readonly #options: WorkerOptions;
  readonly #database: Database;
  readonly #jobs: Jobs;
  readonly #leases: Leases;
  readonly #machine: Machine;
  readonly #objects: Objects;
  readonly #runs: Runs;
  /** Seconds of the slowest of the last cells, by lane. */
  readonly #paces = new Map<string, number>();
  #done = 0;

  constructor(options: WorkerOptions, { database, jobs, leases, machine }: Parts) {
    this.#options = options;
    this.#database = database;
    this.#jobs = jobs;
    this.#leases = leases;
    this.#machine = machine;
    this.#objects = new Objects(database);
    this.#runs = new Runs(options, database, this.#objects);
  }

  async run(): Promise<{ done: number }> {
    const { signal, keepWaiting = false } = this.#options;
    await this.#leases.enter();
    for (let looks = 0; !signal?.aborted; looks++) {
      const batch = await this.#leases.take((lane) => this.#howMany(lane));
      if (batch !== undefined) {
        await this.#process(batch);
        looks = 0;
        continue;
      }
      await this.#recordLost();
      if (!keepWaiting && !(await this.#moreToCome())) break;
      await this.#leases.rest();
      await pause(Math.min(longest, idle * 1.3 ** looks) * (0.75 + Math.random() / 2), signal);
    }
    return { done: this.#done };
  }

  #howMany({ name, needs }: Lane): number {
    const pace = needs.takes === "times" ? undefined : this.#paces.get(name);
    return pace === undefined ? 1 : Math.max(1, Math.min(most, Math.floor(together / pace)));
  }

  /** A worker that has done something ends well, even if what is left is for others. */
  async #moreToCome(): Promise<boolean> {
    return this.#leases.moreToCome().catch((error) => {
      if (this.#done === 0) throw error;
      return false;
    });
  }

  /** A cell whose workers were lost again and again is recorded as failed, by whoever comes upon it. */
  async #recordLost(): Promise<void> {
    const held = await this.#leases.takeLost();
    if (held === undefined) return;
    const { rows } = await this.#database.query<{ data: string }>(
      "SELECT data FROM espalier.cell WHERE id = $1",
      [held.cell],
    );
    const error = "the workers that ran it stopped answering, again and again. Do they have enough memory?";
    const versions = { ...packageVersions(), ...this.#options.versions };
    const record = {
      error,
      format: 1 as const,
      id: held.cell,
      environment: { ...environment(rows[0]?.data ?? "", versions), host: this.#machine.host },
      seconds: 0,
    };
    await this.#database.transaction((client) =>
      finish([{ held, state: "failed", record }], { lane: lostQueue, strict: false }, this.#jobs, client),
    );
  }

  /** Runs cells while their leases are extended; the end of a lease, of the sweep or of the worker ends the run. */
  async #process(batch: Batch): Promise<void> {
    const { signal, onCell } = this.#options;
    const stop = new AbortController();
    const given = () => stop.abort(signal?.reason);
    signal?.addEventListener("abort", given, { once: true });
    if (signal?.aborted) given();
    let fault: unknown;
    const keeping = this.#leases.keep(batch, stop.signal, (reason) => {
      if (!(reason instanceof LeaseLost)) fault = reason;
      stop.abort(new LeaseLost());
    });
    let open = batch.jobs;
    try {
      if (batch.lane.needs.takes === "times") await this.#leases.haveMachineAlone(stop.signal);
      const ran = await this.#runAll(batch, stop.signal);
      if (!(stop.signal.reason instanceof LeaseLost)) {
        await this.#conclude(batch.lane, ran);
        open = open.slice(ran.length);
        await this.#giveBack(batch.lane, open);
        open = [];
      }
    } catch (error) {
      if (!(error instanceof LeaseLost)) {
        // What is wrong is this machine, not the cell: others may do better.
        await this.#giveBack(batch.lane, open).catch(() => {});
        throw error;
      }
    } finally {
      stop.abort();
      signal?.removeEventListener("abort", given);
      await keeping;
    }
    for (const { cell } of open) onCell?.({ cell, outcome: "lost" });
    if (open.length > 0) await this.#leases.rest().catch(() => {});
    if (fault !== undefined) throw fault;
  }

  /** Runs what fits into the time that cells are taken together for, one cell at least. */
  async #runAll({ lane, jobs }: Batch, signal: AbortSignal): Promise<(readonly [Job, Ran])[]> {
    const ended: (readonly [Job, Ran])[] = [];
    const start = performance.now();
    let [before, pace] = [start, 0];
    for (const job of jobs) {
      if (signal.aborted || (ended.length > 0 && before - start > 1000 * together)) break;
      this.#options.onCell?.({ cell: job.cell, outcome: "started" });
      const ran = await this.#run(job, lane, signal);
      if (ran === undefined || signal.aborted) break;
      ended.push([job, ran]);
      const now = performance.now();
      pace = Math.max(pace, (now - before) / 1000);
      before = now;
    }
    if (ended.length > 0) this.#paces.set(lane.name, pace);
    return ended;
  }

  async #run(job: Job, lane: Lane, signal: AbortSignal): Promise<Ran | undefined> {
    const { execute } = this.#options;
    if (execute === undefined) return this.#runs.run(job, lane, signal);
    const record = await execute(job.cell, job.held.cell);
    return record && { record, models: new Map(), certain: !("error" in record) };
  }

  /** Gives cells back as if they had never been taken. */
  async #giveBack({ name }: Lane, open: readonly Job[]): Promise<void> {
    if (open.length === 0) return;
    await this.#database.transaction(async (client) => {
      for (const { held, priority } of open)
        if (await this.#jobs.complete(name, [held], client))
          await this.#jobs.add(name, [{ id: held.cell, priority }], client);
    });
    await this.#leases.rest();
  }

  /** Stores what came of cells, but for those that will be tried again. */
  async #conclude(lane: Lane, ran: readonly (readonly [Job, Ran])[]): Promise<void> {
    const { onCell, tries = 3 } = this.#options;
    const finished = new Map<Finished, { readonly cell: QueuedCell; readonly record: QueuedRecord }>();
    const remade: [string, string][] = [];
    for (const [{ held, cell }, { record, models, certain }] of ran) {
      const failed = "error" in record;
      if (failed && !certain && (await this.#mayTryAgain(lane, held, tries, record.error))) {
        onCell?.({ cell, outcome: "retried", record });
        continue;
      }
      let model: string | undefined;
      for (const [id, bytes] of failed ? [] : models) {
        const name = await this.#objects.put(bytes);
        if (id === held.cell) model = name;
        else remade.push([id, name]);
      }
      const { cell: _, ...rest } = record;
      const stored = { ...rest, environment: { ...record.environment, host: this.#machine.host } };
      finished.set({ held, state: failed ? "failed" : "done", record: stored, model }, { cell, record });
    }
    if (finished.size === 0) return this.#leases.rest();
    const worker = this.#leases.worker;
    const strict = lane.needs.takes === "times";
    const first = await this.#database.transaction(async (client) => {
      // Models of other cells that were not stored any more, and had to be made again.
      for (const [id, model] of remade)
        await client.query("UPDATE espalier.cell SET model = $2 WHERE id = $1 AND model IS NULL", [
          id,
          model,
        ]);
      return finish([...finished.keys()], { lane: lane.name, worker, strict }, this.#jobs, client);
    });
    this.#done += first.size;
    for (const [{ held, state }, event] of finished)
      onCell?.({ ...event, outcome: first.has(held.cell) ? state : "lost" });
  }

  /** Counts a try that failed; whether there is another. */
  async #mayTryAgain({ name }: Lane, held: Held, tries: number, error: string): Promise<boolean> {
    return this.#database.transaction(async (client) => {
      const { rows } = await client.query<{ tries: number }>(
        "UPDATE espalier.cell SET tries = tries + 1 WHERE id = $1 RETURNING tries",
        [held.cell],
      );
      if ((rows[0]?.tries ?? tries) >= tries) return false;
      await this.#jobs.fail(name, held, client, error);
      return true;
    });
  }
}
