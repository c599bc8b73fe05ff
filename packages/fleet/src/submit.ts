import { type Cell, cellId, createSweepPace } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import type { Recipe } from "@espalier/recipe";
import type { Jobs } from "./boss.ts";
import { dataOf, parentOf, renamed } from "./cells.ts";
import type { Database, Queryable } from "./database.ts";
import { laneName, type Needs, needsOf, type Setting } from "./lanes.ts";
import { sha256 } from "./objects.ts";
import { submitLock } from "./schema.ts";
import type { QueuedCell } from "./trial.ts";

/** Cells to submit, and their terms. */
export interface Submission extends Setting {
  readonly name: string;
  /**
   * Name of the sweep in the queue, if it grows: cells are added to it, unless it was cancelled. By default a hash of its
   * cells.
   */
  readonly id?: string;
  /** All cells, each after what it depends on; and their checksums, by the names that cells have for data and files. */
  readonly plan: {
    readonly cells: readonly { readonly id: string; readonly cell: QueuedCell }[];
    readonly checksums: ReadonlyMap<string, string>;
  };
  /** The names that cells use for stored files in the queue, by the names in the plan. */
  readonly names: ReadonlyMap<string, string>;
  /** Seconds after which a worker that says nothing has lost its cell. */
  readonly lease: number;
  /** How often workers may be lost on a cell, or give it back, before it counts as failed. */
  readonly losses: number;
}

interface Row {
  readonly id: string;
  readonly spec: QueuedCell;
  readonly data: string;
  readonly parent: string | null;
  readonly lane: string;
  readonly priority: number;
}

/** Rows of a statement. */
const batch = 5000;

/**
 * Submits what is missing of a sweep, all at once or not at all; what others have submitted is theirs and this sweep's.
 * Of the cells that are given, those that failed or were cancelled are tried again. Gives the sweep's name.
 */
export async function submit(
  submission: Submission,
  { database, jobs }: { database: Database; jobs: Jobs },
): Promise<string> {
  const { name, names, lease, losses } = submission;
  const lanes = new Map<string, Needs>();
  // Two targets of a sweep may say the same.
  const planned = rowsOf(submission, await measuredPaces(database), lanes);
  const rows = [...new Map(planned.map((row) => [row.id, row])).values()];
  for (const lane of lanes.keys()) await jobs.createLane(lane, { lease, losses });
  const ids = rows.map(({ id }) => id);
  const sweep = submission.id ?? sha256(ids.toSorted().join("\n")).slice(0, 12);
  const files = [...names.values()].map((reference) => reference.slice(7, 71));
  await database.transaction(async (client) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [submitLock]);
    for (const [lane, needs] of lanes)
      await client.query(
        "INSERT INTO espalier.lane VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET lease = EXCLUDED.lease",
        [lane, JSON.stringify(needs), lease],
      );
    const { rows: known } = await client.query<{ cancelled: unknown }>(
      `INSERT INTO espalier.sweep AS s (id, name, total, objects) VALUES ($1, $2, $3, $4)
       ON CONFLICT (id) DO UPDATE SET cancelled = CASE WHEN $5 THEN s.cancelled END, name = EXCLUDED.name
       RETURNING cancelled`,
      [sweep, name, rows.length, files, submission.id !== undefined],
    );
    if (known[0]!.cancelled !== null) throw cancelledError(sweep);
    for (let at = 0; at < rows.length; at += batch) await insert(rows.slice(at, at + batch), sweep, client);
    await client.query(
      "UPDATE espalier.sweep SET total = (SELECT count(*) FROM espalier.sweep_cell WHERE sweep = $1) WHERE id = $1",
      [sweep],
    );
    await reopen(ids, jobs, client);
  });
  return sweep;
}

function rowsOf(
  { plan, names, ...setting }: Submission,
  paceOf: (cell: QueuedCell) => number,
  lanes: Map<string, Needs>,
): Row[] {
  const parents = new Map<QueuedCell, string>();
  for (const { id, cell } of plan.cells) parents.set(cell, id);
  const chains = new Map<string, number>();
  const laneOf = new Map<string, string>();
  // Backwards: what needs a cell comes after it, so that its chain is known before the cell's own.
  return plan.cells
    .toReversed()
    .map(({ id, cell }): Row => {
      const needed = parentOf(cell);
      const parent = needed && (parents.get(needed) ?? cellId(needed, plan.checksums));
      const chain = paceOf(cell) + (chains.get(id) ?? 0);
      if (parent !== undefined) chains.set(parent, Math.max(chain, chains.get(parent) ?? 0));
      const needs = needsOf(cell, setting);
      const key = JSON.stringify(needs);
      let lane = laneOf.get(key);
      if (lane === undefined) {
        lane = laneName(needs);
        laneOf.set(key, lane);
        lanes.set(lane, needs);
      }
      return {
        id,
        spec: renamed(cell, names),
        data: plan.checksums.get(dataOf(cell).dataset)!,
        parent: parent ?? null,
        lane,
        // Tenths of seconds: quick cells have an order, too.
        priority: Math.min(2 ** 30, Math.round(10 * chain)),
      };
    })
    .toReversed();
}

async function insert(rows: readonly Row[], sweep: string, client: Queryable): Promise<void> {
  await client.query(
    `INSERT INTO espalier.cell (id, spec, data, parent, lane, priority, state)
     SELECT id, spec, data, parent, lane, priority, 'waiting'
     FROM json_to_recordset($1) AS r(id text, spec json, data text, parent text, lane text, priority int)
     ON CONFLICT (id) DO UPDATE SET lane = EXCLUDED.lane, priority = EXCLUDED.priority, state = CASE
       WHEN espalier.cell.state = 'queued' AND espalier.cell.lane <> EXCLUDED.lane THEN 'waiting'
       ELSE espalier.cell.state END
     WHERE espalier.cell.state <> 'done'`,
    [JSON.stringify(rows)],
  );
  await client.query("INSERT INTO espalier.sweep_cell SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING", [
    sweep,
    rows.map(({ id }) => id),
  ]);
}

/** Of a search that somebody cancelled while it was handing out. */
export function cancelledError(id: string): EspalierError {
  return new EspalierError(`search ${id} was cancelled. The same command goes on with it.`);
}

/** Tries again what failed or was cancelled, and sees to it that every one of the cells that can run has a job. */
async function reopen(ids: readonly string[], jobs: Jobs, client: Queryable): Promise<void> {
  await client.query(
    `UPDATE espalier.cell SET state = 'waiting', tries = 0, record = NULL, finished = NULL
     WHERE state IN ('failed', 'cancelled') AND id = ANY($1)`,
    [ids],
  );
  await client.query(
    `UPDATE espalier.cell c SET state = 'queued' WHERE state = 'waiting' AND id = ANY($1) AND (parent IS NULL OR EXISTS
     (SELECT 1 FROM espalier.cell p WHERE p.id = c.parent AND p.state IN ('done', 'failed')))`,
    [ids],
  );
  const { rows } = await client.query<{ id: string; lane: string; priority: number }>(
    "SELECT id, lane, priority FROM espalier.cell WHERE state = 'queued' AND id = ANY($1)",
    [ids],
  );
  await addJobs(rows, jobs, client);
}

/** Adds jobs for cells, lane by lane. */
export async function addJobs(
  cells: readonly { readonly id: string; readonly lane: string; readonly priority: number }[],
  jobs: Jobs,
  client: Queryable,
): Promise<void> {
  for (const [lane, own] of Map.groupBy(cells, (cell) => cell.lane)) await jobs.add(lane, own, client);
}

/** Seconds that a cell will take by what others took; while nothing is known, by its kind. */
async function measuredPaces(database: Database): Promise<(cell: QueuedCell) => number> {
  const pace = createSweepPace();
  const { rows } = await database.query<{ spec: Cell; seconds: number }>(
    `SELECT spec, (record->>'seconds')::float8 AS seconds FROM espalier.cell
     WHERE state = 'done' AND spec->>'kind' <> 'trial' ORDER BY finished DESC LIMIT 500`,
  );
  for (const { spec, seconds } of rows) pace.done(spec, seconds);
  const usual = { train: 60, prune: 20, sensitivity: 5, latency: 2 } as const;
  return (cell) => {
    // The longest first: a search decides by them.
    if (cell.kind === "trial") return 10 * epochsIn(cell.recipe);
    return pace.estimate([cell]) ?? usual[cell.kind];
  };
}

function epochsIn({ steps }: Recipe): number {
  return steps.reduce((sum, step) => sum + ("fit" in step ? step.fit.epochs : 0), 0);
}
