import type { ResultRecord } from "@espalier/bench";
import type { Held, Jobs } from "./boss.ts";
import type { Queryable } from "./database.ts";
import { addJobs } from "./submit.ts";

/** What came of a cell. */
export interface Finished {
  readonly state: "done" | "failed";
  /** Without its cell, which every coordinator knows by its own names. */
  readonly record: Omit<ResultRecord, "cell">;
  readonly model: string | undefined;
  readonly worker: string | undefined;
  /** Whether the result only counts if the lease still held: a time that was taken during a pause is none. */
  readonly strict: boolean;
}

/** The lease of a cell ran out before it was finished. */
export class LeaseLost extends Error {}

/**
 * Stores a cell's result, ends its job, and adds jobs for the cells that waited for it: all within one transaction, so
 * that a result is there once or not at all. False if somebody else has finished the cell before.
 */
export async function finish(
  held: Held,
  { state, record, model, worker, strict }: Finished,
  jobs: Jobs,
  client: Queryable,
): Promise<boolean> {
  const inTime = await jobs.complete(held, client);
  if (strict && !inTime) throw new LeaseLost();
  const stored = await client.query(
    `UPDATE espalier.cell SET state = $2, record = $3, model = coalesce($4, model), finished = clock_timestamp()
     WHERE id = $1 AND state IN ('waiting', 'queued')`,
    [held.cell, state, JSON.stringify(record), model ?? null],
  );
  if (stored.count === 0) return false;
  if (worker !== undefined)
    await client.query("UPDATE espalier.worker SET done = done + 1 WHERE id = $1", [worker]);
  const { rows } = await client.query<{ id: string; lane: string; priority: number }>(
    `UPDATE espalier.cell SET state = 'queued' WHERE parent = $1 AND state = 'waiting'
     RETURNING id, lane, priority`,
    [held.cell],
  );
  await addJobs(rows, jobs, client);
  return true;
}

/** Gives a cell back as if it had never been taken. */
export async function giveBack(held: Held, priority: number, jobs: Jobs, client: Queryable): Promise<void> {
  if (await jobs.complete(held, client)) await jobs.add(held.lane, [{ id: held.cell, priority }], client);
}
