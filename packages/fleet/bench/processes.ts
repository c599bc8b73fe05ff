import { fork } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Database, pause } from "../src/database.ts";
import type { Said, Settings } from "../test/process.ts";

const entry = fileURLToPath(new URL("../test/process.ts", import.meta.url));

/** A worker, a coordinator or a whole sweep as a process of its own. */
export interface Member {
  /** Resolves when its work begins. */
  readonly begun: Promise<void>;
  /** Seconds of processors since its work began; megabytes on its heap, now and then. */
  readonly ended: Promise<{ readonly processor: number; readonly heap: readonly number[] }>;
  /** Asks it to end. */
  stop(): void;
}

export function start(role: "worker" | "sweep" | "alone", settings: Settings): Member {
  const child = fork(entry, [role, JSON.stringify(settings)], {
    execArgv: ["--conditions=@espalier/source"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const said: Said[] = [];
  let begin = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  child.on("message", (message: Said) => {
    said.push(message);
    begin();
  });
  const ended = new Promise<void>((resolve, reject) =>
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${role} ended with ${code}`)))),
  );
  return {
    begun,
    ended: ended.then(() => ({
      processor: (said.at(-1)?.processor ?? 0) - (said[0]?.processor ?? 0),
      heap: said.map(({ heap }) => heap),
    })),
    stop: () => child.kill("SIGTERM"),
  };
}

/** Resolves when so many workers wait for work: starting them is no part of what is measured. */
export async function workersReady(url: string, count: number): Promise<void> {
  const database = new Database(url, { name: "bench" });
  const ready = "SELECT 1 FROM espalier.worker";
  // The table does not exist before the first of them.
  while ((await database.query(ready).catch(() => ({ count: 0 }))).count < count) await pause(100);
  await database.close();
}

/** Processor time of a process and all under it, those that ended included; NaN where the system has no /proc. */
export function processorSeconds(pid: number): number {
  if (process.platform !== "linux") return Number.NaN;
  const stats = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const text = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = text
        .slice(text.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number);
      stats.set(Number(name), { parent: fields[1]!, ticks: sum(fields.slice(11, 15)) });
    } catch {
      // Ended since.
    }
  }
  const under = (own: number): number =>
    (stats.get(own)?.ticks ?? 0) +
    sum([...stats].flatMap(([child, { parent }]) => (parent === own ? [under(child)] : [])));
  return under(pid) / 100;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
