import { createHash } from "node:crypto";
import { appendFile } from "node:fs/promises";
import { type Cell, type ResultRecord, readSweepConfig } from "@espalier/bench";
import { createRegistry } from "@espalier/recipe/standard";
import { runFleetSweep, work } from "../src/index.ts";

/** A worker or a coordinator as a process of its own, for tests that kill it: `process.ts worker|sweep JSON`. */
interface Settings {
  readonly queue: string;
  readonly out: string;
  readonly config: unknown;
  readonly lease: number;
  /** Milliseconds that a cell takes in place of being run; it is run if left out. */
  readonly dry?: number;
  /** File with a line for every result that is stored. */
  readonly journal?: string;
}

const [role, text] = process.argv.slice(2);
const { queue, out, config, lease, dry, journal } = JSON.parse(text!) as Settings;
const registry = createRegistry();
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());

if (role === "worker")
  await work({
    queue,
    registry,
    keepWaiting: true,
    signal: stop.signal,
    ...(dry !== undefined && { execute: (cell: Cell, id: string) => dryRun(cell, id, dry) }),
    async onCell({ outcome, record }) {
      if (journal !== undefined && outcome === "done") await appendFile(journal, `${record!.id}\n`);
    },
  });
else
  await runFleetSweep(readSweepConfig(config), {
    queue,
    out,
    registry,
    lease,
    losses: 20,
    signal: stop.signal,
    onNote: (line) => console.error(line),
    onSubmitted: () => console.log("submitted"),
    onWorkers: () => process.send?.(process.memoryUsage().heapUsed),
  });
process.exit();

/** A result that depends on the cell alone. */
async function dryRun(cell: Cell, id: string, milliseconds: number): Promise<ResultRecord> {
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
