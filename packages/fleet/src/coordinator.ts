import { join } from "node:path";
import {
  type Cell,
  type DataPlaces,
  isFailure,
  openResults,
  type PlannedCell,
  planSweep,
  type ResultRecord,
  type ResultsFile,
  type SweepConfig,
  SweepData,
  type SweepPlan,
  type SweepResult,
} from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { makeFolder, writeFileAtomically } from "@espalier/formats/node";
import { Jobs } from "./boss.ts";
import { storeFiles } from "./cells.ts";
import { Database, pause } from "./database.ts";
import type { Setting } from "./lanes.ts";
import { DamagedObject, Objects } from "./objects.ts";
import { prepareTables } from "./schema.ts";
import { liveWorkers, type RunningWorker } from "./status.ts";
import { submit } from "./submit.ts";

/** How a sweep is handed out. */
export interface FleetSweepOptions extends Setting {
  /** URL of the PostgreSQL database. What it leaves out comes from `PGUSER`, `PGPASSWORD` and so on. */
  readonly queue: string;
  /** Folder for `results.jsonl` and the models, as of a sweep on one machine. */
  readonly out: string;
  readonly data?: DataPlaces;
  /** Seconds after which a worker that says nothing has lost its cell; 60 by default, 10 at least. */
  readonly lease?: number | undefined;
  /** How often a cell's worker may be lost before the cell counts as failed; 5 by default. */
  readonly losses?: number;
  /** Ends the waiting; workers go on. */
  readonly signal?: AbortSignal;
  /** Told once, when all is submitted. */
  readonly onSubmitted?: (sweep: string, cells: readonly PlannedCell[]) => void;
  /** Told of every cell that is finished, or was before. */
  readonly onCell?: (event: FleetCell) => void;
  /** Told now and then who is at work. */
  readonly onWorkers?: (workers: readonly RunningWorker[]) => void;
  /** Receives remarks for the user, a line each. */
  readonly onNote?: (line: string) => void;
}

/** A cell that is finished. */
export interface FleetCell {
  /** Cells finished so far, this one included. */
  readonly done: number;
  readonly total: number;
  readonly cell: Cell;
  readonly outcome: "done" | "kept" | "failed";
  readonly record?: ResultRecord;
}

/**
 * Submits what a folder has no result of yet, and waits for workers to do it; writes each result as it comes. May be
 * stopped and called again at any time, from any machine. Throws an EspalierError as `runSweep` does, if the database
 * cannot be used, and if somebody cancels the sweep.
 */
export async function runFleetSweep(config: SweepConfig, options: FleetSweepOptions): Promise<SweepResult> {
  const { registry, signal, out, lease = 60, losses = 5, onNote } = options;
  const database = new Database(options.queue, { name: "espalier sweep", signal, onLost: onNote });
  try {
    await database.connect();
    await prepareTables(database);
    await makeFolder(join(out, "models"));
    const plan = await planSweep(config, registry, new SweepData(registry, { ...options.data, signal }));
    const jobs = await Jobs.open(database, Math.max(2, Math.round(lease / 6)));
    try {
      const objects = new Objects(database);
      const file = await openResults(join(out, "results.jsonl"));
      const names = await storeFiles(plan.cells, plan.checksums, objects, options.data?.beside);
      const submission = { ...options, name: config.name, plan, names, lease, losses };
      const sweep = await submit(submission, { database, jobs });
      options.onSubmitted?.(sweep, plan.cells);
      return await new Gathering({ ...options, sweep, plan, file, database, objects }).run();
    } finally {
      await jobs.stop();
    }
  } finally {
    await database.close().catch(() => {});
  }
}

interface Gathered extends FleetSweepOptions {
  readonly sweep: string;
  readonly plan: SweepPlan;
  readonly file: ResultsFile;
  readonly database: Database;
  readonly objects: Objects;
}

interface Row {
  readonly id: string;
  readonly finished: Date;
  readonly model: string | null;
  readonly record: Omit<ResultRecord, "cell">;
}

/**
 * Milliseconds between two looks; seconds that a look goes back, for results that were committed late; milliseconds between
 * two looks at everything, for those that were committed very late; results a read.
 */
const [every, overlap, whole, portion] = [500, 5, 30_000, 200];

/** Writes the results of a sweep as they come. */
class Gathering {
  readonly #options: Gathered;
  readonly #cells: ReadonlyMap<string, Cell>;
  readonly #open: Set<string>;
  readonly #counts = { done: 0, kept: 0, failed: 0 };
  #since = new Date(0);
  #wholeAt = performance.now();

  constructor(options: Gathered) {
    const { plan, file } = options;
    this.#options = options;
    this.#cells = new Map(plan.cells.map(({ id, cell }) => [id, cell]));
    const known = new Set(file.records.flatMap((record) => (isFailure(record) ? [] : [record.id])));
    this.#open = new Set(this.#cells.keys());
    for (const [id, cell] of this.#cells) {
      if (!known.has(id)) continue;
      this.#open.delete(id);
      this.#counts.kept++;
      this.#tell(cell, "kept");
    }
  }

  async run(): Promise<SweepResult> {
    const { signal, onWorkers, database, sweep } = this.#options;
    let workersAt = 0;
    while (this.#open.size > 0 && !signal?.aborted) {
      const ids = await this.#finished();
      for (let at = 0; at < ids.length && !signal?.aborted; at += portion)
        await this.#write(ids.slice(at, at + portion));
      if (this.#open.size === 0) break;
      if (performance.now() - workersAt > 2000) {
        workersAt = performance.now();
        await this.#checkCancelled();
        onWorkers?.(await liveWorkers(database, sweep));
      }
      await pause(every, signal);
    }
    const { out, file } = this.#options;
    const records = file.records.filter(({ id }) => this.#cells.has(id));
    const aborted = this.#open.size > 0;
    return { results: join(out, "results.jsonl"), records, ...this.#counts, aborted };
  }

  /** Names of cells that are finished and not written; by the database's clock, which is everybody's. */
  async #finished(): Promise<string[]> {
    const { database, sweep } = this.#options;
    if (performance.now() - this.#wholeAt > whole) {
      this.#wholeAt = performance.now();
      this.#since = new Date(0);
    }
    const { rows } = await database.query<{ id: string; finished: Date }>(
      `SELECT c.id, c.finished FROM espalier.cell c JOIN espalier.sweep_cell s ON s.cell = c.id AND s.sweep = $1
       WHERE c.state IN ('done', 'failed') AND c.finished >= $2::timestamptz - $3 * interval '1 second'
       ORDER BY c.finished`,
      [sweep, this.#since, overlap],
    );
    this.#since = rows.at(-1)?.finished ?? this.#since;
    return rows.flatMap(({ id }) => (this.#open.has(id) ? [id] : []));
  }

  async #write(ids: readonly string[]): Promise<void> {
    const { database, file } = this.#options;
    const { rows } = await database.query<Row>(
      `SELECT id, finished, model, record FROM espalier.cell
       WHERE id = ANY($1) AND state IN ('done', 'failed') ORDER BY finished`,
      [ids],
    );
    const records = rows.map(({ id, record, finished }): [Cell, ResultRecord] => {
      const cell = this.#cells.get(id)!;
      const environment = { ...record.environment, date: finished.toISOString() };
      return [cell, { cell, ...record, environment } as ResultRecord];
    });
    await Promise.all(rows.map(({ id, model }) => this.#fetchModel(id, model)));
    await file.append(...records.map(([, record]) => record));
    for (const [cell, record] of records) {
      const outcome = isFailure(record) ? "failed" : "done";
      this.#open.delete(record.id);
      this.#counts[outcome]++;
      this.#tell(cell, outcome, record);
    }
  }

  /** Models go where a sweep on one machine keeps them: the report draws some. */
  async #fetchModel(id: string, model: string | null): Promise<void> {
    if (model === null) return;
    const { objects, out, onNote } = this.#options;
    try {
      const bytes = await objects.get(model);
      // Removed in the meantime: nobody needs it but the report's pictures.
      if (bytes === undefined) return;
      await writeFileAtomically(join(out, "models", `${id}.safetensors`), bytes, { force: true });
    } catch (error) {
      if (!(error instanceof DamagedObject)) throw error;
      onNote?.(error.message);
    }
  }

  async #checkCancelled(): Promise<void> {
    const { database, sweep } = this.#options;
    const { rows } = await database.query(
      "SELECT 1 FROM espalier.sweep WHERE id = $1 AND cancelled IS NULL",
      [sweep],
    );
    if (rows.length === 0)
      throw new EspalierError(
        `sweep ${sweep} was cancelled after ${this.#counts.done + this.#counts.kept} of ${this.#cells.size} cells. The same command submits the rest again.`,
      );
  }

  #tell(cell: Cell, outcome: FleetCell["outcome"], record?: ResultRecord): void {
    const done = this.#cells.size - this.#open.size;
    this.#options.onCell?.({ done, total: this.#cells.size, cell, outcome, ...(record && { record }) });
  }
}
