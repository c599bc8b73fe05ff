/**
 * Chaos: three workers, sixty short cells that are really trained and pruned, twenty random faults. Ends with an error
 * if any cell is missing, is there twice, or differs from an undisturbed run. `chaos.ts [seed]`; a few minutes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ResultRecord, readResults, readSweepConfig, runSweep, type SweepInput } from "@espalier/bench";
import { createRegistry } from "@espalier/recipe/standard";
import { Database } from "../src/database.ts";
import { binaries, lacking, startPostgres } from "./postgres.ts";

const [lease, faults, workers, limit] = [10, 20, 3, 600] as const;

/** 4 dense models, 56 pruned ones. */
const config: SweepInput = {
  name: "chaos",
  models: [{ use: "DLinear" }, { use: "iTransformer", width: 8, feedForward: 16, heads: 2, layers: 1 }],
  datasets: ["synthetic"],
  inputLength: 24,
  horizon: 8,
  evaluationWindows: 64,
  strategies: [{ use: "unstructured" }, { use: "unstructured", label: "local", scope: "local" }],
  targets: [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8].map((sparsity) => ({ sparsity })),
  training: { epochs: 2, batchesPerEpoch: 60 },
  fineTuning: [{ epochs: 2, batchesPerEpoch: 60 }],
  timedTargets: [],
  seeds: [0, 1],
};

const random = generator(Number(process.argv[2] ?? 1));
const entry = fileURLToPath(new URL("./process.ts", import.meta.url));

if (binaries === undefined) {
  console.log(`chaos${lacking}`);
  process.exit(0);
}
const folder = await mkdtemp(join(tmpdir(), "espalier-chaos-"));
const postgres = await startPostgres();
const children = new Set<ChildProcess>();
try {
  await chaos();
} finally {
  for (const child of children) child.kill("SIGKILL");
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

async function chaos(): Promise<void> {
  const expected = await runSweep(readSweepConfig(config), {
    out: join(folder, "calm"),
    registry: createRegistry(),
  });
  const total = expected.records.length;
  console.log(`${total} cells; undisturbed in one process first`);
  const crew = Array.from({ length: workers }, () => ({ child: start("worker"), stopped: false }));
  let coordinator = start("sweep");
  let ended = false;
  const watch = () => {
    const mine = coordinator;
    mine.on("exit", (code) => {
      if (mine === coordinator && code === 0) ended = true;
    });
  };
  watch();
  const began = performance.now();
  const database = new Database(postgres.url, { name: "chaos" });
  const plan = faultsInOrder();
  const gone = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null;
  let [made, last] = [0, began];
  while (!ended) {
    if (performance.now() - began > 1000 * limit) throw new Error(`chaos: not done after ${limit} s`);
    await wait(500);
    for (const member of crew) if (gone(member.child)) member.child = start("worker");
    if (gone(coordinator) && !ended) {
      coordinator = start("sweep");
      watch();
    }
    const fault = plan[made];
    // Spread over the sweep; where it gets nowhere, every five seconds.
    const due = (made * total) / (faults + 2);
    if (fault === undefined || ended) continue;
    if ((await storedByWorkers()).length < due && performance.now() - last < 5000) continue;
    made++;
    last = performance.now();
    console.log(`${((performance.now() - began) / 1000).toFixed(0)} s: ${fault}`);
    const victim = crew[Math.floor(random() * crew.length)]!;
    if (fault === "SIGKILL") victim.child.kill("SIGKILL");
    else if (fault === "SIGSTOP") {
      const { child } = victim;
      child.kill("SIGSTOP");
      setTimeout(() => child.kill("SIGCONT"), 1000 * (lease + 6));
    } else if (fault === "connections cut")
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND random() < 0.7",
      );
    else if (fault === "PostgreSQL restarted") await postgres.restart();
    else {
      coordinator.kill("SIGKILL");
      await wait(1000);
      coordinator = start("sweep");
      watch();
    }
    if (made === plan.length) console.log("all faults were made");
  }
  await database.close();
  const records = await readResults(join(folder, "fleet", "results.jsonl"));
  const same = (list: readonly ResultRecord[]) => list.map(lasting).sort().join("\n");
  const ids = new Set(records.map(({ id }) => id));
  const stored = await storedByWorkers();
  console.log(
    `${records.length} results of ${ids.size} cells; ${stored.length} stored by workers; ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
  if (made < plan.length) throw new Error(`chaos: done after ${made} of ${plan.length} faults`);
  if (ids.size !== total || records.length !== total)
    throw new Error("chaos: a cell is missing, or there twice");
  if (new Set(stored).size !== stored.length) throw new Error("chaos: a cell was stored twice");
  if (same(records) !== same(expected.records))
    throw new Error("chaos: results differ from the undisturbed run's");
  console.log("every cell once, equal to the undisturbed run");
}

/** Names of the cells that workers say they have stored. */
async function storedByWorkers(): Promise<string[]> {
  const text = await readFile(join(folder, "journal"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

/** Twenty faults in random order; PostgreSQL is restarted twice, the coordinator killed twice. */
function faultsInOrder(): string[] {
  const always = ["PostgreSQL restarted", "PostgreSQL restarted", "coordinator killed", "coordinator killed"];
  const others = ["SIGKILL", "SIGSTOP", "connections cut"];
  const rest = Array.from({ length: faults - always.length }, (_, i) => others[i % others.length]!);
  return [...always, ...rest]
    .map((fault) => ({ fault, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault);
}

function start(role: "worker" | "sweep"): ChildProcess {
  const settings = {
    queue: postgres.url,
    out: join(folder, "fleet"),
    config,
    lease,
    journal: join(folder, "journal"),
  };
  const child = spawn(
    process.execPath,
    ["--conditions=@espalier/source", entry, role, JSON.stringify(settings)],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  children.add(child);
  child.on("exit", () => children.delete(child));
  return child;
}

function lasting(record: ResultRecord): string {
  return JSON.stringify(record, (key, value) =>
    ["environment", "seconds", "processorSeconds", "planSeconds"].includes(key) ? "left out" : value,
  );
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
