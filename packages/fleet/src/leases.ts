import { randomUUID } from "node:crypto";
import { EspalierError } from "@espalier/core";
import { type Held, type Jobs, lostQueue } from "./boss.ts";
import { type Database, pause } from "./database.ts";
import { LeaseLost } from "./finish.ts";
import { type Needs, type Offer, readNeeds, refusal } from "./lanes.ts";
import type { Machine } from "./machine.ts";
import { type QueuedCell, readQueued } from "./trial.ts";

/** Cells with equal needs, which share a queue. */
export interface Lane {
  readonly name: string;
  readonly needs: Needs;
  /** Seconds. */
  readonly lease: number;
}

/** A cell that a worker holds. */
export interface Job {
  readonly held: Held;
  readonly cell: QueuedCell;
  readonly priority: number;
}

/** Cells that a worker took together. */
export interface Batch {
  readonly lane: Lane;
  readonly jobs: readonly Job[];
}

/** Milliseconds between two looks for lanes that are new, and between two tries to have the machine alone. */
const [lanesEvery, machineEvery] = [5000, 500];

/** A worker's share of the common state: its entry in the list of workers, its cell, its machine. */
export class Leases {
  readonly worker: string = randomUUID();
  readonly #database: Database;
  readonly #jobs: Jobs;
  readonly #machine: Machine;
  readonly #offer: Offer;
  readonly #onNote: (line: string) => void;
  #lanes: readonly Lane[] = [];
  #refusals: readonly string[] = [];
  #lanesAt = Number.NEGATIVE_INFINITY;

  constructor(
    { database, jobs, machine }: { database: Database; jobs: Jobs; machine: Machine },
    offer: Omit<Offer, keyof Machine>,
    onNote: (line: string) => void = () => {},
  ) {
    this.#database = database;
    this.#jobs = jobs;
    this.#machine = machine;
    this.#offer = { ...offer, host: machine.host, processor: machine.processor };
    this.#onNote = onNote;
  }

  /** Enters this worker in the list of those that are there. */
  async enter(): Promise<void> {
    const { key, host, processor } = this.#machine;
    await this.#database.query(
      "DELETE FROM espalier.worker WHERE seen < now() - greatest(lease, 3600) * interval '1 second'",
    );
    await this.#database.query(
      `INSERT INTO espalier.worker (id, machine, host, processor, lease) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (id) DO NOTHING`,
      [this.worker, key, host, processor, await shortestLease(this.#database)],
    );
  }

  /** Lets others have the machine at once. */
  async leave(): Promise<void> {
    await this.#database.query("DELETE FROM espalier.worker WHERE id = $1", [this.worker]);
  }

  /** The most urgent cells that this worker may run now; cells that take times only while there is no other. */
  async take(count: (lane: Lane) => number): Promise<Batch | undefined> {
    await this.#lookForLanes();
    const [work, times] = (["work", "times"] as const).map((takes) =>
      this.#lanes.filter(({ needs }) => needs.takes === takes),
    );
    if (work!.length > 0 && (await this.#takeMachine(false))) {
      const batch = await this.#takeFrom(work!, count);
      if (batch !== undefined) return batch;
    }
    return this.#takeFrom(times!, count);
  }

  /** A job whose workers were lost again and again. */
  async takeLost(): Promise<Held | undefined> {
    const [held] = await this.#jobs.take(lostQueue, 1);
    return held;
  }

  /**
   * Whether cells of this worker's lanes are left, running elsewhere or waiting for others. Throws an EspalierError if
   * there are cells, and all are refused.
   */
  async moreToCome(): Promise<boolean> {
    this.#lanesAt = Number.NEGATIVE_INFINITY;
    await this.#lookForLanes();
    if (this.#lanes.length > 0) return true;
    const [reason] = this.#refusals;
    if (reason !== undefined)
      throw new EspalierError(`this worker can take none of the cells in the queue: ${reason}.`);
    return false;
  }

  /** Says that this worker is there, without a cell. */
  async rest(): Promise<void> {
    await this.#beat();
  }

  /**
   * Extends leases until the signal. Calls `lost` if one ran out or its sweep was cancelled, and for an error of the
   * database, once the patience with it is over.
   */
  async keep(batch: Batch, signal: AbortSignal, lost: (reason: unknown) => void): Promise<void> {
    const every = (1000 * batch.lane.lease) / 4;
    try {
      for (;;) {
        // The lease began just now.
        await pause(every, signal);
        if (signal.aborted) return;
        if (!(await this.#beat(batch)) && !signal.aborted) lost(new LeaseLost());
      }
    } catch (error) {
      lost(error);
    }
  }

  /** Resolves when this worker has its machine alone, or at the signal. */
  async haveMachineAlone(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !(await this.#takeMachine(true))) await pause(machineEvery, signal);
  }

  /** The lanes that this worker serves; their requirements may be new to it. */
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
      if (!this.#refusals.includes(reason)) this.#onNote(`some cells are left to others: ${reason}`);
    this.#lanes = lanes;
    this.#refusals = [...refusals];
  }

  async #takeFrom(lanes: readonly Lane[], count: (lane: Lane) => number): Promise<Batch | undefined> {
    for (const lane of lanes) {
      const held = await this.#jobs.take(lane.name, count(lane));
      if (held.length === 0) continue;
      const { rows } = await this.#database.query<{ id: string; spec: unknown; priority: number }>(
        `WITH mine AS (UPDATE espalier.worker SET seen = clock_timestamp(), cell = $2 WHERE id = $1)
         SELECT id, spec, priority FROM espalier.cell WHERE id = ANY($3) AND state = 'queued' AND lane = $4`,
        [this.worker, held[0]!.cell, held.map(({ cell }) => cell), lane.name],
      );
      const known = new Map(rows.map((row) => [row.id, row]));
      // Done by somebody whose lease had run out, cancelled, or submitted anew for other workers.
      const stale = held.filter(({ cell }) => !known.has(cell));
      if (stale.length > 0)
        await this.#database.transaction((client) => this.#jobs.complete(lane.name, stale, client));
      if (stale.length === held.length) return this.#takeFrom(lanes, count);
      const jobs = held.flatMap((own): Job[] => {
        const row = known.get(own.cell);
        if (row === undefined) return [];
        return [{ held: own, cell: readQueued(row.spec, `queue, cell ${row.id}`), priority: row.priority }];
      });
      return { lane, jobs };
    }
    return undefined;
  }

  async #takeMachine(alone: boolean): Promise<boolean> {
    const { rows } = await this.#database.query<{ free: boolean | null }>(
      "SELECT espalier.take_machine($1, $2) AS free",
      [this.worker, alone],
    );
    return rows[0]?.free ?? false;
  }

  /** Says that this worker is there. False if a cell that it holds is no longer its own. */
  async #beat(batch?: Batch): Promise<boolean> {
    const held = batch?.jobs.map((job) => job.held) ?? [];
    const cells = held.map(({ cell }) => cell);
    const { rows } = await this.#database.query<{ cancelled: boolean | null }>(
      `UPDATE espalier.worker SET seen = clock_timestamp(), cell = $2,
         uses = CASE WHEN $2::text IS NULL THEN 'idle' ELSE uses END
       WHERE id = $1 RETURNING (SELECT bool_or(state = 'cancelled') FROM espalier.cell WHERE id = ANY($3)) AS cancelled`,
      [this.worker, cells[0] ?? null, cells],
    );
    if (rows.length === 0) await this.enter();
    if (batch === undefined) return true;
    const extend = () => this.#jobs.extend(batch.lane.name, held);
    return !rows[0]?.cancelled && (await this.#database.retry(extend));
  }
}

/** The shortest lease among the lanes, in seconds. */
export async function shortestLease(database: Database): Promise<number> {
  const { rows } = await database.query<{ lease: number | null }>(
    "SELECT min(lease) AS lease FROM espalier.lane",
  );
  return rows[0]?.lease ?? 60;
}
