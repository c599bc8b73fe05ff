import { EspalierError } from "@espalier/core";
import type { Database } from "./database.ts";

/** Version of the tables. */
const format = 2;

/** One number for everybody who makes or changes tables, or submits. */
export const submitLock = 0x6573_7061;

const tables = `
CREATE SCHEMA IF NOT EXISTS espalier;
CREATE TABLE IF NOT EXISTS espalier.format (version int NOT NULL);
-- Content by its SHA-256: models, and users' own data. In parts, so that a large one never is one value.
CREATE TABLE IF NOT EXISTS espalier.object (
  sha256 text PRIMARY KEY, bytes bigint NOT NULL, created timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS espalier.object_part (
  sha256 text NOT NULL REFERENCES espalier.object ON DELETE CASCADE, part int NOT NULL, content bytea NOT NULL,
  PRIMARY KEY (sha256, part));
ALTER TABLE espalier.object_part ALTER content SET STORAGE EXTERNAL;
-- What a worker must have for a cell; the name is that of its pg-boss queue.
CREATE TABLE IF NOT EXISTS espalier.lane (name text PRIMARY KEY, needs json NOT NULL, lease int NOT NULL);
CREATE TABLE IF NOT EXISTS espalier.cell (
  id text PRIMARY KEY, spec json NOT NULL, data text NOT NULL, parent text, lane text NOT NULL REFERENCES espalier.lane,
  priority int NOT NULL, state text NOT NULL CHECK (state IN ('waiting', 'queued', 'done', 'failed', 'cancelled')),
  tries int NOT NULL DEFAULT 0, record json, model text REFERENCES espalier.object, finished timestamptz);
CREATE INDEX IF NOT EXISTS cell_parent ON espalier.cell (parent) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS cell_open ON espalier.cell (lane) WHERE state IN ('waiting', 'queued');
CREATE INDEX IF NOT EXISTS cell_finished ON espalier.cell (finished);
CREATE INDEX IF NOT EXISTS cell_model ON espalier.cell (model) WHERE model IS NOT NULL;
CREATE TABLE IF NOT EXISTS espalier.sweep (
  id text PRIMARY KEY, name text NOT NULL, total int NOT NULL, objects text[] NOT NULL,
  submitted timestamptz NOT NULL DEFAULT now(), cancelled timestamptz);
CREATE TABLE IF NOT EXISTS espalier.sweep_cell (
  sweep text NOT NULL REFERENCES espalier.sweep ON DELETE CASCADE, cell text NOT NULL REFERENCES espalier.cell,
  PRIMARY KEY (sweep, cell));
CREATE INDEX IF NOT EXISTS sweep_cell_cell ON espalier.sweep_cell (cell);
-- Who is there, for as long as the server runs: after a crash of the server, workers say so again. uses: idle, shares (its host with others that train), waits (to have it alone), alone.
CREATE UNLOGGED TABLE IF NOT EXISTS espalier.worker (
  id uuid PRIMARY KEY, machine text NOT NULL, host text NOT NULL, processor text NOT NULL, lease int NOT NULL,
  uses text NOT NULL DEFAULT 'idle', cell text, started timestamptz NOT NULL DEFAULT now(),
  seen timestamptz NOT NULL DEFAULT now(), done int NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS worker_machine ON espalier.worker (machine);

-- Whether a worker may now use its machine: together with others, or alone. All by this database's clock.
CREATE OR REPLACE FUNCTION espalier.take_machine(me uuid, lone boolean) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE its text; free boolean;
BEGIN
  SELECT machine INTO its FROM espalier.worker WHERE id = me;
  IF its IS NULL THEN RETURN false; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('espalier ' || its));
  SELECT NOT EXISTS (SELECT 1 FROM espalier.worker o WHERE o.machine = its AND o.id <> me
    AND o.seen > clock_timestamp() - o.lease * interval '1 second'
    AND o.uses = ANY (CASE WHEN lone THEN ARRAY['shares', 'alone'] ELSE ARRAY['waits', 'alone'] END)) INTO free;
  UPDATE espalier.worker SET seen = clock_timestamp(), uses = CASE
    WHEN free THEN CASE WHEN lone THEN 'alone' ELSE 'shares' END WHEN lone THEN 'waits' ELSE 'idle' END WHERE id = me;
  RETURN free;
END $$;

-- Stores what came of cells, and lets go of them. Gives the names of those that nobody had stored before, and then the cells
-- that waited for them. Statement by statement, so that the last one sees cells submitted while the first one waited.
CREATE OR REPLACE FUNCTION espalier.finish(results json, who uuid)
RETURNS TABLE (stored text, id text, lane text, priority int) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE ended text[];
BEGIN
  WITH changed AS (UPDATE espalier.cell c
    SET state = r.state, record = r.record, model = coalesce(r.model, c.model), finished = clock_timestamp()
    FROM json_to_recordset(results) AS r(id text, state text, record json, model text)
    WHERE c.id = r.id AND c.state IN ('waiting', 'queued') RETURNING c.id)
  SELECT coalesce(array_agg(id), '{}') INTO ended FROM changed;
  UPDATE espalier.worker SET seen = clock_timestamp(), cell = NULL, uses = 'idle', done = done + cardinality(ended)
    WHERE id = who;
  RETURN QUERY SELECT unnest(ended), NULL::text, NULL::text, NULL::int;
  RETURN QUERY UPDATE espalier.cell SET state = 'queued' WHERE parent = ANY(ended) AND state = 'waiting'
    RETURNING NULL::text, id, lane, priority;
END $$;
`;

/** Makes the tables if they are not there. Throws an EspalierError if a later version has made them. */
export async function prepareTables(database: Database): Promise<void> {
  const found = await database.query<{ there: boolean }>(
    "SELECT to_regclass('espalier.format') IS NOT NULL AS there",
  );
  if (found.rows[0]!.there) {
    const { rows } = await database.query<{ version: number }>("SELECT version FROM espalier.format");
    if (rows[0]?.version === format) return;
    if ((rows[0]?.version ?? 0) > format)
      throw new EspalierError(
        `queue ${database.address.database}: its tables have format ${rows[0]!.version}, this Espalier knows ${format}. Install a newer Espalier.`,
      );
  }
  await database.transaction(async (client) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [submitLock]);
    await client.query(tables);
    await client.query("DELETE FROM espalier.format");
    await client.query("INSERT INTO espalier.format VALUES ($1)", [format]);
  });
}
