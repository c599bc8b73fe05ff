import { createHash } from "node:crypto";
import { appendFile } from "node:fs/promises";
import { type ResultRecord, readSweepConfig, runSweep } from "@espalier/bench";
import { createRegistry } from "@espalier/recipe/standard";
import { type QueuedCell, runFleetSweep, work } from "../src/index.ts";

/**
 * A worker, a coordinator or a sweep without a queue as a process of its own, for tests that kill it and benchmarks:
 * `process.ts worker|sweep|alone JSON`.
 */
export interface Settings {
  readonly queue: string;
  readonly out: string;
  readonly config: unknown;
  readonly lease: number;
  /** Milliseconds that a cell takes in place of being run; it is run if left out. */
  readonly dry?: number;
  /** File with a line for every result that is stored. */
  readonly journal?: string;
}

/** Said to the parent when work begins, now and then, and at the end. */
export interface Said {
  /** Seconds of processors so far. */
  readonly processor: number;
  /** Megabytes on the heap. */
  readonly heap: number;
}

const [role, text] = process.argv.slice(2);
const { queue, out, config, lease, dry, journal } = JSON.parse(text!) as Settings;
const registry = createRegistry();
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());

let began = false;
const say = () => {
  began = true;
  const { user, system } = process.cpuUsage();
  const said: Said = { processor: (user + system) / 1e6, heap: process.memoryUsage().heapUsed / 2 ** 20 };
  return new Promise((resolve) => (process.send === undefined ? resolve(null) : process.send(said, resolve)));
};

if (role === "worker")
  await work({
    queue,
    registry,
    keepWaiting: true,
    signal: stop.signal,
    ...(dry !== undefined && { execute: (cell: QueuedCell, id: string) => dryRun(cell, id, dry) }),
    async onCell({ outcome, record }) {
      if (!began) void say();
      if (journal !== undefined && outcome === "done") await appendFile(journal, `${record!.id}\n`);
    },
  });
else if (role === "alone") {
  void say();
  await runSweep(readSweepConfig(config), { out, registry });
} else
  await runFleetSweep(readSweepConfig(config), {
    queue,
    out,
    registry,
    lease,
    losses: 20,
    signal: stop.signal,
    onNote: (line) => console.error(line),
    onSubmitted: () => void say(),
    onWorkers: () => void say(),
  });
await say();
process.exit();

/** A result that depends on the cell alone. */
async function dryRun(cell: QueuedCell, id: string, milliseconds: number): Promise<ResultRecord> {
  if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
  const digest = createHash("sha256").update(id).digest("hex");
  const environment = {
    date: "",
    processor: "",
    cores: 1,
    platform: "",
    node: "",
    versions: {},
    dataChecksum: "",
  };
  return { cell, result: { digest }, format: 1, id, environment, seconds: 0 } as unknown as ResultRecord;
}
