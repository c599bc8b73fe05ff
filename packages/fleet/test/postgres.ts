import { execFile, spawn } from "node:child_process";
import { chownSync, existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Folder with PostgreSQL's programs: of PATH, or where Debian puts them; undefined if there is none. */
export const binaries: string | undefined = [
  ...(process.env.PATH ?? "").split(delimiter),
  ...(existsSync("/usr/lib/postgresql")
    ? readdirSync("/usr/lib/postgresql").map((version) => `/usr/lib/postgresql/${version}/bin`)
    : []),
].find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "pg_ctl")));

/** Said where tests are skipped, in the words that CI looks for. */
export const lacking: string =
  binaries === undefined ? " (skipped: no PostgreSQL here; apt-get install postgresql)" : "";

/** A PostgreSQL server of a test's own, on loopback. */
export interface Postgres {
  readonly url: string;
  readonly port: number;
  /** Its first process; all others are under it. */
  readonly pid: number;
  /** Statements as the owner, by psql-like rights; gives nothing. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** PostgreSQL does not run as root: its user is then `nobody`. Files that it reads must be that user's. */
export const as: { readonly uid?: number; readonly gid?: number } =
  process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

/** `more` is for the server's command line, such as `-c ssl=on`. */
export async function startPostgres(listen = "127.0.0.1", more = ""): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-postgres-"));
  if (as.uid !== undefined) chownSync(folder, as.uid, as.gid!);
  const data = join(folder, "data");
  const port = await freePort();
  await call("initdb", "-D", data, "-U", "espalier", "-A", "trust", "-E", "UTF8", "--no-sync");
  await writeFile(
    join(data, "pg_hba.conf"),
    "hostnossl all sealed all reject\nhost all espalier all trust\nhost all all all scram-sha-256\n",
  );
  const settings = `-c listen_addresses='${listen}' -c port=${port} -c unix_socket_directories='' -c max_connections=200 ${more}`;
  // Not by pipes: the server would hold them open, and with them this call.
  const start = () =>
    new Promise<void>((resolve, reject) => {
      const child = spawn(
        join(binaries!, "pg_ctl"),
        ["-D", data, "-w", "-o", settings, "-l", join(folder, "log"), "start"],
        { ...as, stdio: "ignore", cwd: folder },
      );
      child
        .on("error", reject)
        .on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`pg_ctl: ${code}`))));
    });
  const stop = () => call("pg_ctl", "-D", data, "-m", "fast", "-w", "stop");
  await start();
  return {
    // The server asks for none; tests look for it where no password may be.
    url: `postgres://espalier:sesame@127.0.0.1:${port}/postgres`,
    port,
    pid: Number((await readFile(join(data, "postmaster.pid"), "utf8")).split("\n")[0]),
    async restart() {
      await stop();
      await start();
    },
    async stop() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };

  async function call(program: string, ...args: string[]): Promise<void> {
    await run(join(binaries!, program), args, { ...as, cwd: folder });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
