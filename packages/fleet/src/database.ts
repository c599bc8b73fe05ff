import { EspalierError } from "@espalier/core";
import pg from "pg";
import { type Address, isTransient, queueError } from "./errors.ts";

/** Runs statements: on any connection, or all on one within a transaction. */
export interface Queryable {
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[]; readonly count: number }>;
}

/** How a database is used. */
export interface DatabaseOptions {
  /** Shown by PostgreSQL beside a connection. */
  readonly name: string;
  readonly connections?: number;
  /** Seconds to go on trying after a connection was lost. */
  readonly patience?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told when the database cannot be reached, once each time. */
  readonly onLost?: ((line: string) => void) | undefined;
}

/**
 * A PostgreSQL database that may go away and come back: statements and transactions are tried again, so each has to be
 * one that may run twice.
 */
export class Database implements Queryable {
  readonly address: Address;
  readonly #pool: pg.Pool;
  readonly #options: DatabaseOptions;

  constructor(url: string, options: DatabaseOptions) {
    const { config, address } = readUrl(url);
    this.address = address;
    this.#options = options;
    this.#pool = new pg.Pool({
      ...config,
      application_name: options.name,
      // What is taken or said between results need not survive a crash of the server; see transaction().
      options: "-c synchronous_commit=off",
      max: options.connections ?? 4,
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      ...pipelined,
      // A statement that nobody answers: the network is gone, and TCP would wait for a quarter of an hour.
      query_timeout: 120_000,
    });
    this.#pool.on("error", () => {});
  }

  /** The first connection is tried once: a wrong address should be said at once. */
  async connect(): Promise<void> {
    try {
      (await this.#pool.connect()).release();
    } catch (error) {
      throw queueError(error, this.address);
    }
  }

  async query<Row extends object = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<{ readonly rows: Row[]; readonly count: number }> {
    return this.retry(() => onClient(this.#pool, (client) => client.query<Row>(text, values)));
  }

  /** Runs work in one transaction, on disk when this resolves; all of it again if the connection is lost before it is committed. */
  async transaction<T>(work: (client: Queryable) => Promise<T>): Promise<T> {
    return this.retry(() =>
      onClient(this.#pool, async (client) => {
        // Not waited for: it travels together with the first statement.
        const begun = client.query("BEGIN; SET LOCAL synchronous_commit TO on");
        begun.catch(() => {});
        try {
          const result = await work(client);
          await begun;
          await client.query("COMMIT");
          return result;
        } catch (error) {
          await client.query("ROLLBACK").catch(() => {});
          throw error;
        }
      }),
    );
  }

  /** The database as pg-boss expects it, which retries by itself. */
  get raw(): { executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> } {
    return executor({ query: (text, values) => onClient(this.#pool, (c) => c.query(text, values)) });
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  /** Does something again for as long as the database cannot be reached. */
  async retry<T>(work: () => Promise<T>): Promise<T> {
    const { patience = 600, signal, onLost } = this.#options;
    const start = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const waited = (performance.now() - start) / 1000;
        if (!isTransient(error) || waited > patience || signal?.aborted)
          throw queueError(error, this.address);
        if (attempt === 3) onLost?.((queueError(error, this.address) as Error).message);
        await pause(Math.min(5000, 50 * 2 ** attempt), signal);
      }
    }
  }
}

/** A `Queryable` as pg-boss takes it. */
export function executor(on: Queryable): {
  // biome-ignore lint/suspicious/noExplicitAny: pg-boss's own type
  executeSql(text: string, values?: unknown[]): Promise<{ rows: any[] }>;
} {
  return { executeSql: (text, values) => on.query(text, values) };
}

async function onClient<T>(pool: pg.Pool, work: (client: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // Without a listener, a connection that is cut while it is checked out would end the process.
  const onError = (error: Error) => {
    broken = error;
  };
  client.on("error", onError);
  try {
    return await work({
      async query(text, values = []) {
        const result = await client.query({ name: preparedName(text), text, values: values as unknown[] });
        // Several statements at once give a list: the last one's rows count.
        const last = Array.isArray(result) ? result.at(-1) : result;
        return { rows: last.rows, count: last.rowCount ?? 0 };
      },
    });
  } catch (error) {
    if (isTransient(error) || /query read timeout/i.test((error as Error).message)) broken ??= error as Error;
    throw broken ?? error;
  } finally {
    client.off("error", onError);
    client.release(broken);
  }
}

/** Statements may be sent before the one before is answered. The driver's types do not have it yet. */
const pipelined = { pipeline: true } as object;

const prepared = new Map<string, string>();

/** A name by which a connection prepares a statement once; none for several statements at once, and beyond a thousand. */
function preparedName(text: string): string | undefined {
  if (!prepared.has(text) && prepared.size < 1000 && !/;\s*\S/.test(text))
    prepared.set(text, `s${prepared.size}`);
  return prepared.get(text);
}

/** Sleeps, or wakes at the signal. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    if (signal?.aborted) done();
    else signal?.addEventListener("abort", done, { once: true });
  });
}

function readUrl(url: string): { readonly config: pg.ClientConfig; readonly address: Address } {
  const config = { connectionString: url };
  try {
    if (!/^postgres(ql)?:\/\//.test(url)) throw new TypeError();
    new URL(url);
    const { host, port, database, user } = new pg.Client(config);
    return { config, address: { host, port, database: database ?? user ?? "", user: user ?? "" } };
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (path !== undefined)
      throw new EspalierError(`--queue: the certificate or key ${path} cannot be read (${code}).`);
    // The URL itself may hold a password, and is not shown.
    throw new EspalierError(
      "--queue must be the URL of a PostgreSQL database, such as postgres://user@host:5432/database.",
    );
  }
}
