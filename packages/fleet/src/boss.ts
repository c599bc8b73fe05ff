import { PgBoss } from "pg-boss";
import { type Database, executor, type Queryable } from "./database.ts";
import { submitLock } from "./schema.ts";

/** Queue of jobs whose workers stopped answering too often. */
export const lostQueue = "espalier-lost";

/** Data of a job: the name of its cell. The cell itself and its results are in our own tables. */
export interface CellJob {
  readonly cell: string;
}

/** A job that this worker holds, for as long as its lease lasts. */
export interface Held {
  readonly id: string;
  readonly retryCount: number;
  readonly cell: string;
}

/** How long a lease lasts in seconds, and how often workers may be lost on one cell. */
export interface LaneSettings {
  readonly lease: number;
  readonly losses: number;
}

/** pg-boss as the fleet uses it: a queue a lane, jobs that a lease holds. */
export class Jobs {
  readonly #boss: PgBoss;
  readonly #database: Database;

  constructor(boss: PgBoss, database: Database) {
    this.#boss = boss;
    this.#database = database;
  }

  /** Makes pg-boss's own tables if needed. `check` is the number of seconds between two looks for leases that ran out. */
  static async open(database: Database, check: number): Promise<Jobs> {
    const boss = new PgBoss({
      db: database.raw,
      schema: "espalier_queue",
      schedule: false,
      registerInstance: false,
      supervise: true,
      superviseIntervalSeconds: check,
      monitorIntervalSeconds: check,
    });
    // A lost connection: every call of ours tries again, and maintenance comes round by itself.
    boss.on("error", () => {});
    const jobs = new Jobs(boss, database);
    // One after the other: two that make pg-boss's tables at once get in each other's way.
    await database.transaction(async (client) => {
      await client.query("SELECT pg_advisory_xact_lock($1)", [submitLock]);
      await boss.start();
    });
    await database.retry(() =>
      boss.createQueue(lostQueue, { retryLimit: 1000, heartbeatSeconds: 60, ...kept }),
    );
    return jobs;
  }

  async createLane(name: string, { lease, losses }: LaneSettings): Promise<void> {
    const settings = { heartbeatSeconds: lease, retryLimit: losses, deadLetter: lostQueue, ...kept };
    await this.#database.retry(() => this.#boss.createQueue(name, { policy: "exclusive", ...settings }));
    await this.#database.retry(() => this.#boss.updateQueue(name, settings));
  }

  /** Adds jobs for cells that have none yet. */
  async add(
    lane: string,
    cells: readonly { id: string; priority: number }[],
    client: Queryable,
  ): Promise<void> {
    for (let at = 0; at < cells.length; at += 5000) {
      const jobs = cells
        .slice(at, at + 5000)
        .map(({ id, priority }) => ({ data: { cell: id }, singletonKey: id, priority }));
      await this.#boss.insert(lane, jobs, { db: executor(client) });
    }
  }

  /** The most urgent jobs of a lane. */
  async take(lane: string, count: number): Promise<Held[]> {
    const jobs = await this.#database.retry(() =>
      this.#boss.fetch<CellJob>(lane, { batchSize: count, includeMetadata: true }),
    );
    return jobs.map(({ id, retryCount, data }) => ({ id, retryCount, cell: data.cell }));
  }

  /** Extends leases. False if one ran out, and the job may be somebody else's. */
  async extend(lane: string, held: readonly Held[]): Promise<boolean> {
    return affected(await this.#boss.touch(lane, attempts(held))) === held.length;
  }

  /** Ends jobs within a transaction. False if the lease of one ran out before. */
  async complete(lane: string, held: readonly Held[], client: Queryable): Promise<boolean> {
    const options = { db: executor(client) };
    return affected(await this.#boss.complete(lane, attempts(held), null, options)) === held.length;
  }

  /** Gives a job back because of what happened in it. */
  async fail(lane: string, held: Held, client: Queryable, error: string): Promise<void> {
    await this.#boss.fail(lane, attempts([held]), { error }, { db: executor(client) });
  }

  async stop(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: false });
  }
}

/** In seconds: jobs wait for a year, run for a day, and are forgotten an hour after they ended. */
const kept = { retentionSeconds: 365 * 86_400, expireInSeconds: 86_400, deleteAfterSeconds: 3600 } as const;

function attempts(held: readonly Held[]): { id: string; retryCount: number }[] {
  return held.map(({ id, retryCount }) => ({ id, retryCount }));
}

/** pg-boss says how many jobs a call was about, but not in its types. */
function affected(response: object): number {
  return (response as { affected?: number }).affected ?? 0;
}
