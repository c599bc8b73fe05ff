import { type Cell, cellId, createSweepPace, denseCell, type SweepPlan } from "@espalier/bench";
import type { Jobs } from "./boss.ts";
import { outbound, parentOf, storeFiles } from "./cells.ts";
import type { Database, Queryable } from "./database.ts";
import { laneName, type Needs, needsOf, type Setting } from "./lanes.ts";
import { type Objects, sha256 } from "./objects.ts";
import { submitLock } from "./schema.ts";

/** Cells to submit, and their terms. */
export interface Submission extends Setting {
  readonly name: string;
  readonly plan: SweepPlan;
  /** Seconds after which a worker that says nothing has lost its cell. */
  readonly lease: number;
  /** How often workers may be lost on a cell, or give it back, before it counts as failed. */
  readonly losses: number;
  /** Folder in which weight files are searched. */
  readonly data?: { readonly beside?: string | undefined } | undefined;
}

interface Row {
  readonly id: string;
  readonly spec: Cell;
  readonly data: string;
  readonly parent: string | null;
  readonly lane: string;
  readonly priority: number;
}

/** Rows of a statement. */
const batch = 5000;

/**
 * Submits what is missing of a sweep, all at once or not at all; what others have submitted is theirs and this sweep's.
 * Cells that failed or were cancelled are tried again. Gives the sweep's name: a hash of its cells.
 */
export async function submit(
  submission: Submission,
  { database, jobs, objects }: { database: Database; jobs: Jobs; objects: Objects },
): Promise<string> {
  const { plan, name, lease, losses, data } = submission;
  const names = await storeFiles(plan.cells, plan.checksums, objects, data?.beside);
  const lanes = new Map<string, Needs>();
  // Two targets of a sweep may say the same.
  const planned = rowsOf(submission, names, await measuredPaces(database), lanes);
  const rows = [...new Map(planned.map((row) => [row.id, row])).values()];
  for (const lane of lanes.keys()) await jobs.createLane(lane, { lease, losses });
  const sweep = sha256(
    rows
      .map(({ id }) => id)
      .sort()
      .join("\n"),
  ).slice(0, 12);
  const files = [...names.values()].map((reference) => reference.slice(7, 71));
  await database.transaction(async (client) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [submitLock]);
    for (const [lane, needs] of lanes)
      await client.query(
        "INSERT INTO espalier.lane VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET lease = EXCLUDED.lease",
        [lane, JSON.stringify(needs), lease],
      );
    await client.query(
      `INSERT INTO espalier.sweep (id, name, total, objects) VALUES ($1, $2, $3, $4)
       ON CONFLICT (id) DO UPDATE SET cancelled = NULL, name = EXCLUDED.name`,
      [sweep, name, rows.length, files],
    );
    for (let at = 0; at < rows.length; at += batch) await insert(rows.slice(at, at + batch), sweep, client);
    await reopen(sweep, jobs, client);
  });
  return sweep;
}

function rowsOf(
  { plan, ...setting }: Submission,
  names: ReadonlyMap<string, string>,
  paceOf: (cell: Cell) => number,
  lanes: Map<string, Needs>,
): Row[] {
  const parents = new Map<Cell, string>();
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
        spec: outbound(cell, names),
        data: plan.checksums.get(denseCell(cell).data.dataset)!,
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

/** Tries again what failed or was cancelled, and sees to it that every cell that can run has a job. */
async function reopen(sweep: string, jobs: Jobs, client: Queryable): Promise<void> {
  const own = "id IN (SELECT cell FROM espalier.sweep_cell WHERE sweep = $1)";
  await client.query(
    `UPDATE espalier.cell SET state = 'waiting', tries = 0, record = NULL, finished = NULL
     WHERE state IN ('failed', 'cancelled') AND ${own}`,
    [sweep],
  );
  await client.query(
    `UPDATE espalier.cell c SET state = 'queued' WHERE state = 'waiting' AND ${own} AND (parent IS NULL OR EXISTS
     (SELECT 1 FROM espalier.cell p WHERE p.id = c.parent AND p.state IN ('done', 'failed')))`,
    [sweep],
  );
  const { rows } = await client.query<{ id: string; lane: string; priority: number }>(
    `SELECT id, lane, priority FROM espalier.cell WHERE state = 'queued' AND ${own}`,
    [sweep],
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
async function measuredPaces(database: Database): Promise<(cell: Cell) => number> {
  const pace = createSweepPace();
  const { rows } = await database.query<{ spec: Cell; seconds: number }>(
    `SELECT spec, (record->>'seconds')::float8 AS seconds FROM espalier.cell WHERE state = 'done'
     ORDER BY finished DESC LIMIT 500`,
  );
  for (const { spec, seconds } of rows) pace.done(spec, seconds);
  const usual = { train: 60, prune: 20, sensitivity: 5, latency: 2 } as const;
  return (cell) => pace.estimate([cell]) ?? usual[cell.kind];
}
