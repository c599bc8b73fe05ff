/**
 * Gain of a second worker: the training and pruning cells of a preset by two workers of one thread each, and by one
 * process, in turn. Ends with an error if a digest or an error of a model differs, or a cell is missing or there twice.
 * `two-workers.ts [rounds] [preset]`, on at least two processors.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { findPreset, readResults, type SweepInput } from "@espalier/bench";
import { binaries, lacking, startPostgres } from "../test/postgres.ts";
import { processorSeconds, start, workersReady } from "./processes.ts";

const [rounds = "3", preset = "quick"] = process.argv.slice(2);
const config: SweepInput = { ...findPreset(preset), timedTargets: [] };

if (binaries === undefined) throw new Error(`bench:two-workers${lacking}`);
const folder = await mkdtemp(join(tmpdir(), "espalier-two-workers-"));
try {
  console.log(`${cpus()[0]?.model}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}`);
  const ratios: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    const one = await alone(join(folder, `one-${round}`));
    const two = await together(join(folder, `two-${round}`));
    if (one.records.join("\n") !== two.records.join("\n"))
      throw new Error(`round ${round + 1}: results differ, or a cell is missing`);
    ratios.push(two.seconds / one.seconds);
    console.log(
      `round ${round + 1}, ${one.records.length} cells: ${one.seconds.toFixed(1)} s in one process, ${two.seconds.toFixed(1)} s by two workers: ` +
        `${ratios.at(-1)!.toFixed(2)}; processor time ${one.processor.toFixed(1)} s and ${two.processor.toFixed(1)} s`,
    );
  }
  const middle = ratios.toSorted((a, b) => a - b)[ratios.length >> 1]!;
  console.log(`two workers take ${middle.toFixed(2)} of the time, all digests and errors are equal`);
  console.log(`load ${loadavg()[0]!.toFixed(1)} at the end`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

interface Took {
  readonly seconds: number;
  /** Seconds of processors, PostgreSQL's included. */
  readonly processor: number;
  /** See `resultsIn`. */
  readonly records: readonly string[];
}

/** Everything in one process, as `espalier sweep` does it. */
async function alone(out: string): Promise<Took> {
  const whole = start("alone", { queue: "", out, config, lease: 60 });
  await whole.begun;
  const began = performance.now();
  const { processor } = await whole.ended;
  return { seconds: (performance.now() - began) / 1000, processor, records: await resultsIn(out) };
}

/** Two workers that wait already; from when all is submitted. */
async function together(out: string): Promise<Took> {
  const postgres = await startPostgres();
  try {
    const settings = { queue: postgres.url, out, config, lease: 60 };
    const crew = [start("worker", settings), start("worker", settings)];
    await workersReady(postgres.url, crew.length);
    const coordinator = start("sweep", settings);
    await coordinator.begun;
    const [began, server] = [performance.now(), processorSeconds(postgres.pid)];
    const ended = await coordinator.ended;
    const seconds = (performance.now() - began) / 1000;
    let processor = ended.processor + processorSeconds(postgres.pid) - server;
    for (const member of crew) member.stop();
    for (const member of crew) processor += (await member.ended).processor;
    return { seconds, processor, records: await resultsIn(out) };
  } finally {
    await postgres.stop();
  }
}

/** Results but for times and environment, in one order. Throws if a cell is there twice. */
async function resultsIn(out: string): Promise<string[]> {
  const records = await readResults(join(out, "results.jsonl"));
  if (new Set(records.map(({ id }) => id)).size !== records.length)
    throw new Error(`${out}: a cell is there twice`);
  const left = new Set(["environment", "seconds", "processorSeconds", "planSeconds"]);
  return records
    .map((record) => JSON.stringify(record, (key, value) => (left.has(key) ? undefined : value)))
    .sort();
}
