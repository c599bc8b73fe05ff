/**
 * Throughput of the queue: 10,000 cells without training through 8 worker processes, 100,000 planned and submitted.
 * `queue.ts [cells] [workers] [submitted]`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { planSweep, readSweepConfig, SweepData, type SweepInput } from "@espalier/bench";
import { createRegistry } from "@espalier/recipe/standard";
import { Jobs } from "../src/boss.ts";
import { storeFiles } from "../src/cells.ts";
import { Database } from "../src/database.ts";
import { Objects } from "../src/objects.ts";
import { prepareTables } from "../src/schema.ts";
import { submit } from "../src/submit.ts";
import { binaries, lacking, startPostgres } from "../test/postgres.ts";
import { processorSeconds, start, workersReady } from "./processes.ts";

const [cells = 10_000, workers = 8, submitted = 100_000] = process.argv.slice(2).map(Number);

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
  const out = join(folder, "out");
  const settings = { queue: postgres.url, out, config: config(cells, 100), lease: 60, dry: 0 };
  const crew = Array.from({ length: workers }, () => start("worker", settings));
  await workersReady(postgres.url, workers);
  const coordinator = start("sweep", settings);
  await coordinator.begun;
  const [began, server] = [performance.now(), processorSeconds(postgres.pid)];
  const { heap, processor } = await coordinator.ended;
  const seconds = (performance.now() - began) / 1000;
  const used = {
    workers: 0,
    coordinator: processor,
    PostgreSQL: processorSeconds(postgres.pid) - server,
  };
  for (const member of crew) member.stop();
  for (const member of crew) used.workers += (await member.ended).processor;
  const each = Object.entries(used).map(([who, all]) => `${who} ${((1000 * all) / cells).toFixed(2)}`);
  console.log(
    `${cells} dry cells, ${workers} workers: ${seconds.toFixed(1)} s, ${(cells / seconds).toFixed(0)} cells/s`,
  );
  console.log(`milliseconds of processor time a cell: ${each.join(", ")}`);
  console.log(`coordinator's heap in MB, every 2 s: ${heap.map((n) => n.toFixed(0)).join(" ")}`);
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
  const names = await storeFiles(plan.cells, plan.checksums, new Objects(database));
  await submit({ name: "large", plan, names, registry, lease: 60, losses: 5 }, { database, jobs });
  const end = performance.now();
  console.log(
    `${plan.cells.length} cells: planned in ${((planned - start) / 1000).toFixed(1)} s, submitted in ${((end - planned) / 1000).toFixed(1)} s`,
  );
  await jobs.stop();
  await database.close();
}
