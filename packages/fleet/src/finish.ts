import type { Held, Jobs } from "./boss.ts";
import type { Queryable } from "./database.ts";
import { addJobs } from "./submit.ts";
import type { QueuedRecord } from "./trial.ts";

/** Outcome of a cell. */
export interface Finished {
  readonly held: Held;
  readonly state: "done" | "failed";
  /** Without its cell, which every coordinator knows by its own names. */
  readonly record: Omit<QueuedRecord, "cell">;
  readonly model?: string | undefined;
}

/** How results are stored. */
export interface Finishing {
  /** Queue of the jobs. */
  readonly lane: string;
  /** The worker that ran the cells, which is then without any. */
  readonly worker?: string | undefined;
  /** Whether results only count if the lease still held: a time that was taken during a pause is none. */
  readonly strict: boolean;
}

/** The lease of a cell ran out before it was finished. */
export class LeaseLost extends Error {}

/**
 * Stores results, ends the jobs, and adds jobs for the cells that waited for them: all within one transaction, so that a
 * result is there once or not at all. Gives the names of the cells that nobody had finished before.
 */
export async function finish(
  results: readonly Finished[],
  { lane, worker, strict }: Finishing,
  jobs: Jobs,
  client: Queryable,
): Promise<ReadonlySet<string>> {
  const inTime = await jobs.complete(
    lane,
    results.map(({ held }) => held),
    client,
  );
  if (strict && !inTime) throw new LeaseLost();
  const given = results.map(({ held, ...rest }) => ({ id: held.cell, ...rest }));
  const { rows } = await client.query<{ stored: string | null; id: string; lane: string; priority: number }>(
    "SELECT stored, id, lane, priority FROM espalier.finish($1, $2)",
    [JSON.stringify(given), worker ?? null],
  );
  await addJobs(
    rows.filter(({ stored }) => stored === null),
    jobs,
    client,
  );
  return new Set(rows.flatMap(({ stored }) => stored ?? []));
}
