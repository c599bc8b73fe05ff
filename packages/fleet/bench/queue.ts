/**
 * What the queue itself does: 10,000 cells without training through 8 worker processes, 100,000 planned and submitted.
 * `queue.ts [cells] [workers] [submitted]`.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { planSweep, readSweepConfig, SweepData, type SweepInput } from "@espalier/bench";
import { createRegistry } from "@espalier/recipe/standard";
import { Jobs } from "../src/boss.ts";
import { Database, pause } from "../src/database.ts";
import { Objects } from "../src/objects.ts";
import { prepareTables } from "../src/schema.ts";
import { submit } from "../src/submit.ts";
import { binaries, lacking, startPostgres } from "../test/postgres.ts";

const [cells = 10_000, workers = 8, submitted = 100_000] = process.argv.slice(2).map(Number);
const entry = fileURLToPath(new URL("../test/process.ts", import.meta.url));

/** One dense model in a hundred cells, all others pruned from one. */
function config(count: number, seeds: number): SweepInput {
  const targets = Math.ceil(count / seeds) - 1;
  return {
    name: "dry",
    models: [{ use: "DLinear" }],
    datasets: ["synthetic"],
    inputLength: 24,
    horizon: 8,
    strategies: [{ use: "unstructured" }],
    targets: Array.from({ length: targets }, (_, i) => ({ sparsity: (i + 1) / (targets + 2) })),
    training: { epochs: 0 },
    fineTuning: [{ epochs: 0 }],
    timedTargets: [],
    seeds: Array.from({ length: seeds }, (_, i) => i),
  };
}

if (binaries === undefined) throw new Error(`bench:queue${lacking}`);
const folder = await mkdtemp(join(tmpdir(), "espalier-queue-"));
const postgres = await startPostgres();
try {
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}`);
  if (cells > 0) await throughput();
  if (submitted > 0) await submission();
  console.log(`load ${loadavg()[0]!.toFixed(1)} at the end`);
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

async function throughput(): Promise<void> {
  const settings = {
    queue: postgres.url,
    out: join(folder, "out"),
    config: config(cells, 100),
    lease: 60,
    dry: 0,
  };
  const args = (role: string) => [role, JSON.stringify(settings)];
  const execArgv = ["--conditions=@espalier/source"];
  const crew = Array.from({ length: workers }, () =>
    spawn(process.execPath, [...execArgv, entry, ...args("worker")], {
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  await workersReady();
  const coordinator = fork(entry, args("sweep"), { execArgv, stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const used = () => ({
    workers: sum(crew.map(({ pid }) => processorSeconds(pid!))),
    coordinator: processorSeconds(coordinator.pid!),
    PostgreSQL: processorSeconds(postgres.pid),
  });
  // The coordinator may be gone at the end: what it used is asked each time that it says something.
  let [start, before, after] = [0, used(), used()];
  coordinator.stdout!.on("data", () => {
    start = performance.now();
    before = used();
  });
  const heap: number[] = [];
  coordinator.on("message", (bytes) => {
    heap.push(Number(bytes) / 2 ** 20);
    after = used();
  });
  await ended(coordinator);
  const seconds = (performance.now() - start) / 1000;
  const { coordinator: last } = after;
  after = { ...used(), coordinator: last };
  for (const child of crew) child.kill("SIGTERM");
  await Promise.all(crew.map(ended));
  const each = Object.keys(before).map((who) => {
    const key = who as keyof typeof before;
    return `${who} ${((1000 * (after[key] - before[key])) / cells).toFixed(2)}`;
  });
  console.log(
    `${cells} dry cells, ${workers} workers: ${seconds.toFixed(1)} s, ${(cells / seconds).toFixed(0)} cells/s`,
  );
  console.log(`milliseconds of processor time a cell: ${each.join(", ")}`);
  console.log(`coordinator's heap in MB, every 2 s: ${heap.map((n) => n.toFixed(0)).join(" ")}`);
}

/** Resolves when every worker waits for work: starting them is no part of what is measured. */
async function workersReady(): Promise<void> {
  const database = new Database(postgres.url, { name: "bench" });
  const ready = "SELECT 1 FROM espalier.worker";
  while ((await database.query(ready).catch(() => ({ count: 0 }))).count < workers) await pause(100);
  await database.close();
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null) await new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode !== 0) throw new Error(`${child.spawnargs.at(-2)} ended with ${child.exitCode}`);
}

/** Processor time of a process and all under it, those that ended included; NaN where the system has no /proc. */
function processorSeconds(pid: number): number {
  const stats = new Map<number, { readonly parent: number; readonly ticks: number }>();
  if (process.platform !== "linux") return Number.NaN;
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

async function submission(): Promise<void> {
  const registry = createRegistry();
  const start = performance.now();
  const plan = await planSweep(
    readSweepConfig(config(submitted, 1000)),
    registry,
    new SweepData(registry, {}),
  );
  const planned = performance.now();
  const database = new Database(postgres.url, { name: "bench" });
  await prepareTables(database);
  const jobs = await Jobs.open(database, 60);
  const parts = { database, jobs, objects: new Objects(database) };
  await submit({ name: "large", plan, registry, lease: 60, losses: 5 }, parts);
  const end = performance.now();
  console.log(
    `${plan.cells.length} cells: planned in ${((planned - start) / 1000).toFixed(1)} s, submitted in ${((end - planned) / 1000).toFixed(1)} s`,
  );
  await jobs.stop();
  await database.close();
}
