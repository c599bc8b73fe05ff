import { EspalierError } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { Database, type Queryable } from "./database.ts";
import { queueError } from "./errors.ts";
import type { QueuedCell } from "./trial.ts";

/** A sweep or a search in the queue. */
export interface QueuedSweep {
  readonly id: string;
  readonly name: string;
  readonly submitted: Date;
  readonly cancelled: boolean;
  readonly cells: number;
  readonly done: number;
  readonly failed: number;
}

/** A worker that is there. */
export interface RunningWorker {
  readonly host: string;
  readonly processor: string;
  /** Cells that it has finished. */
  readonly done: number;
  /** Its current cell; undefined if it waits. */
  readonly cell: QueuedCell | undefined;
}

/** A cell that failed, and why. */
export interface FailedCell {
  readonly id: string;
  readonly cell: QueuedCell;
  readonly error: string;
  readonly host: string | undefined;
}

/** Everything there is to see in a queue. */
export interface QueueStatus {
  readonly sweeps: readonly QueuedSweep[];
  readonly workers: readonly RunningWorker[];
  readonly failed: readonly FailedCell[];
}

/** Reads the state of the queue. Throws an EspalierError if the database cannot be used. */
export async function queueStatus(queue: string): Promise<QueueStatus> {
  return withQueue(queue, async (database) => {
    const sweeps = await database.query<QueuedSweep>(
      `SELECT s.id, s.name, s.submitted, s.cancelled IS NOT NULL AS cancelled, s.total AS cells,
         count(*) FILTER (WHERE c.state = 'done')::int AS done, count(*) FILTER (WHERE c.state = 'failed')::int AS failed
       FROM espalier.sweep s JOIN espalier.sweep_cell m ON m.sweep = s.id JOIN espalier.cell c ON c.id = m.cell
       GROUP BY s.id ORDER BY s.submitted`,
    );
    const failed = await database.query<{ id: string; cell: QueuedCell; error: string; host: string | null }>(
      `SELECT id, spec AS cell, record->>'error' AS error, record->'environment'->>'host' AS host
       FROM espalier.cell WHERE state = 'failed' ORDER BY finished LIMIT 100`,
    );
    return {
      sweeps: sweeps.rows,
      workers: await liveWorkers(database),
      failed: failed.rows.map(({ host, ...rest }) => ({ ...rest, host: host ?? undefined })),
    };
  });
}

/** Workers that have said something within their lease; of one sweep, only those that run its cells, or none. */
export async function liveWorkers(client: Queryable, sweep?: string): Promise<RunningWorker[]> {
  const { rows } = await client.query<{
    host: string;
    processor: string;
    done: number;
    cell: QueuedCell | null;
  }>(
    `SELECT w.host, w.processor, w.done, c.spec AS cell FROM espalier.worker w LEFT JOIN espalier.cell c ON c.id = w.cell
     WHERE w.seen > now() - w.lease * interval '1 second' AND ($1::text IS NULL OR c.id IS NULL
       OR EXISTS (SELECT 1 FROM espalier.sweep_cell m WHERE m.sweep = $1 AND m.cell = c.id))
     ORDER BY w.started`,
    [sweep ?? null],
  );
  return rows.map(({ cell, ...rest }) => ({ ...rest, cell: cell ?? undefined }));
}

/**
 * Cancels a sweep: what it shares with others is still done, a cell of its own that runs is ended. Gives how many cells
 * will not be done. Throws an EspalierError if there is no such sweep.
 */
export async function cancelSweep(queue: string, sweep: string): Promise<number> {
  return withQueue(queue, (database) =>
    database.transaction(async (client) => {
      const { rows } = await client.query<{ id: string }>("SELECT id FROM espalier.sweep");
      const found = rows.filter(({ id }) => id.startsWith(sweep));
      if (found.length > 1)
        throw new EspalierError(`several sweeps begin with "${sweep}". Give more of the name.`);
      if (found[0] === undefined)
        throw unknownName(
          "sweep in the queue",
          sweep,
          rows.map(({ id }) => id),
        );
      await client.query("UPDATE espalier.sweep SET cancelled = coalesce(cancelled, now()) WHERE id = $1", [
        found[0].id,
      ]);
      const { count } = await client.query(
        `UPDATE espalier.cell SET state = 'cancelled' WHERE state IN ('waiting', 'queued')
           AND id IN (SELECT cell FROM espalier.sweep_cell WHERE sweep = $1)
           AND NOT EXISTS (SELECT 1 FROM espalier.sweep_cell m JOIN espalier.sweep s ON s.id = m.sweep
             WHERE m.cell = espalier.cell.id AND s.cancelled IS NULL)`,
        [found[0].id],
      );
      return count;
    }),
  );
}

/** Counts of removed objects. */
export interface Collected {
  readonly objects: number;
  readonly bytes: number;
}

/**
 * Removes content that no cell needs any more: models of whose descendants none is open, users' files of sweeps that are
 * finished or cancelled. What is younger than an hour stays: its cell may be just about to be stored.
 */
export async function collectGarbage(queue: string): Promise<Collected> {
  return withQueue(queue, (database) =>
    database.transaction(async (client) => {
      const { rows } = await client.query<{ sha256: string; bytes: string }>(
        `SELECT o.sha256, o.bytes FROM espalier.object o WHERE o.created < now() - interval '1 hour'
         AND NOT EXISTS (SELECT 1 FROM espalier.cell c JOIN espalier.cell d ON d.parent = c.id
           LEFT JOIN espalier.cell e ON e.parent = d.id
           WHERE c.model = o.sha256 AND (d.state IN ('waiting', 'queued') OR e.state IN ('waiting', 'queued')))
         AND NOT EXISTS (SELECT 1 FROM espalier.sweep s JOIN espalier.sweep_cell m ON m.sweep = s.id
           JOIN espalier.cell c ON c.id = m.cell
           WHERE o.sha256 = ANY(s.objects) AND s.cancelled IS NULL AND c.state IN ('waiting', 'queued'))`,
      );
      const names = rows.map(({ sha256 }) => sha256);
      await client.query("UPDATE espalier.cell SET model = NULL WHERE model = ANY($1)", [names]);
      await client.query("DELETE FROM espalier.object WHERE sha256 = ANY($1)", [names]);
      return { objects: names.length, bytes: rows.reduce((sum, { bytes }) => sum + Number(bytes), 0) };
    }),
  );
}

async function withQueue<T>(queue: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = new Database(queue, { name: "espalier queue", patience: 10 });
  try {
    await database.connect();
    const { rows } = await database.query<{ there: boolean }>(
      "SELECT to_regclass('espalier.format') IS NOT NULL AS there",
    );
    if (!rows[0]!.there) {
      const { host, port, database: name } = database.address;
      throw new EspalierError(
        `queue ${host}:${port}/${name}: nothing was ever submitted to it. espalier sweep --queue and espalier search --queue do.`,
      );
    }
    return await work(database);
  } catch (error) {
    throw queueError(error, database.address);
  } finally {
    await database.close();
  }
}
