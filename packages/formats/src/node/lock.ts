import { randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename } from "node:path";
import { EspalierError } from "@espalier/core";
import { writing } from "./files.ts";

/** Who holds a lock, as its file says. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the system counts: a number that comes round again is another process. Linux only. */
  readonly began?: string;
  readonly since: string;
  /** This lock and no other. */
  readonly token: string;
}

/**
 * Takes a lock, a file, for as long as this process needs what it stands for; gives the function that gives it back. A lock
 * whose process is gone, killed before it could give it back, is taken over. Throws an EspalierError that says who holds it:
 * `what` is what is in use then.
 */
export async function takeLock(path: string, what: string): Promise<() => Promise<void>> {
  const { pid } = process;
  const began = await beginOf(pid);
  const own: Holder = {
    pid,
    host: hostname(),
    ...(began !== undefined && { began }),
    since: new Date().toISOString(),
    token: randomUUID(),
  };
  const beside = `${path}.${own.token}`;
  try {
    await writing(path, () => writeFile(beside, `${JSON.stringify(own)}\n`, { flag: "wx" }));
    while (!(await claim(beside, path))) {
      const text = await textOf(path);
      // Given back in the meantime.
      if (text === undefined) continue;
      const holder = holderOf(text);
      if (holder !== undefined && (await isThere(holder))) throw inUse(path, what, holder, own.host);
      await removeStale(path, what, text);
    }
  } finally {
    await rm(beside, { force: true });
  }
  return async () => {
    const text = await textOf(path);
    if (text !== undefined && holderOf(text)?.token === own.token) await rm(path, { force: true });
  };
}

/** Puts a lock in its place unless there is one; whole at once. */
async function claim(beside: string, path: string): Promise<boolean> {
  try {
    await link(beside, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    // Some file systems have no links.
    const text = await readFile(beside, "utf8");
    return writeFile(path, text, { flag: "wx" }).then(
      () => true,
      (failure: NodeJS.ErrnoException) => {
        if (failure.code === "EEXIST") return false;
        throw failure;
      },
    );
  }
}

/** Takes a stale lock away, and no other: whoever does so looks again while nobody else may. */
async function removeStale(path: string, what: string, text: string): Promise<void> {
  const release = await takeLock(`${path}.taking`, what);
  try {
    if ((await textOf(path)) === text) await rm(path, { force: true });
  } finally {
    await release();
  }
}

function inUse(path: string, what: string, { pid, host, since }: Holder, here: string): EspalierError {
  const elsewhere = host === here ? "" : ` on ${host}`;
  const advice =
    host === here
      ? "Wait for it, or give another place."
      : `Whether it still runs cannot be seen from here; if not, delete ${basename(path)}.`;
  return new EspalierError(`${what} is in use by process ${pid}${elsewhere} since ${since}. ${advice}`);
}

/** Whether a holder may still be at work: of another machine that cannot be known. */
async function isThere({ pid, host, began }: Holder): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = await beginOf(pid);
  return began === undefined || now === undefined || now === began;
}

/** The system's boot, and the clock tick since then at which a process began. */
async function beginOf(pid: number): Promise<string | undefined> {
  const stat = await textOf(`/proc/${pid}/stat`);
  const boot = await textOf("/proc/sys/kernel/random/boot_id");
  // Behind the name, which may hold anything, in parentheses.
  const ticks = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return ticks === undefined || boot === undefined ? undefined : `${boot.trim()}/${ticks}`;
}

/** A damaged lock is nobody's. */
function holderOf(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return Number.isSafeInteger(holder?.pid) && holder!.pid! > 0 && typeof holder?.host === "string"
      ? (holder as Holder)
      : undefined;
  } catch {
    return undefined;
  }
}

function textOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}
