import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadDataset } from "@espalier/datasets/node";
import { memoryStore, modelName, runTrial, type SearchRecord, search } from "@espalier/search";
import { forecastingDataFor } from "@espalier/training";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { model, registry, workbench } from "../../search/test/small.ts";
import { Database, pause } from "../src/database.ts";
import { cancelSweep, queueStatus, work } from "../src/index.ts";
import { prepareTables } from "../src/schema.ts";
import { liveWorkers } from "../src/status.ts";
import { binaries, lacking, type Postgres, startPostgres } from "./postgres.ts";
import type { Settings } from "./process.ts";
import { searchOver } from "./small-search.ts";

let postgres: Postgres;
let folder: string;

function waitingWorker(): void {
  const stop = new AbortController();
  const queue = postgres.url;
  const running = work({
    queue,
    registry,
    files: join(folder, "files"),
    keepWaiting: true,
    signal: stop.signal,
  });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
}

function start(script: string, ...words: readonly string[]): ChildProcess {
  const entry = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, ["--conditions=@espalier/source", entry, ...words], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** Until so many workers have said that they are there: a search counts them when it begins, and they wait for its tables. */
async function workersAtWork(count: number): Promise<void> {
  const database = new Database(postgres.url, { name: "test" });
  await prepareTables(database);
  while ((await liveWorkers(database)).length < count) await pause(50);
  await database.close();
}

const linesOf = (path: string) =>
  readFile(path, "utf8").then(
    (text) => text.trim().split("\n"),
    () => [],
  );

describe.skipIf(binaries === undefined)(`a search over a queue${lacking}`, () => {
  beforeAll(async () => {
    postgres = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), "espalier-search-queue-"));
  });
  afterAll(async () => {
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("reaches a choice by two workers, with the models that one process makes", async () => {
    waitingWorker();
    waitingWorker();
    await workersAtWork(2);
    const begun: string[] = [];
    const { request, queue } = searchOver(postgres.url, { onBegin: (name) => begun.push(name) });
    const store = memoryStore();
    const inFlight: number[] = [];
    const { chosen, trials, header } = await search({
      ...{ ...request, store, queue },
      onEvent: (event) => void (event.kind === "started" && inFlight.push(event.inFlight)),
    });
    await queue.close();
    expect(chosen!.mean.validation.mse).toBeLessThan(1.1 * header.dense.validation.mse);
    expect(Math.max(...inFlight)).toBe(3);
    expect(trials.every(({ host }) => host === hostname())).toBe(true);
    // The store has the model that a worker made; here, the same recipe makes the same.
    const { best } = chosen!;
    const kept = await store.model(modelName(best));
    expect(kept).toBeDefined();
    const again = await search({ ...request, store: memoryStore(store.records) });
    expect(again.chosen!.model.history).toEqual(kept!.history);
    expect(again.chosen!.best.result.digest).toBe(best.result.digest);
    const status = await queueStatus(postgres.url);
    expect(status.sweeps).toMatchObject([
      { id: begun[0], name: "search iTransformer", cells: trials.length, done: trials.length, failed: 0 },
    ]);
    // Everything is known, and nothing is handed out again.
    const more = searchOver(postgres.url);
    const repeated = await search({ ...more.request, store: memoryStore(store.records), queue: more.queue });
    await more.queue.close();
    expect(repeated.trials).toEqual(trials);
  }, 120_000);

  it("sends the user's own file, and gives a recipe that cannot be carried out its reason", async () => {
    const rows = Array.from({ length: 400 }, (_, t) =>
      [Math.sin(t / 4), Math.cos(t / 7) + t / 300].map((v) => v.toFixed(4).replace(".", ",")).join(";"),
    );
    const path = join(folder, "waves.csv");
    await writeFile(path, `a;b\n${rows.join("\n")}\n`);
    const source = await loadDataset(path, { decimal: "," });
    waitingWorker();
    const { request, queue } = searchOver(postgres.url, {
      data: { dataset: path, reading: { decimal: "," }, checksum: source.checksum },
    });
    const { steps } = request.space!.recipe({ size: 0.5, strategy: "channel", learningRate: 0.01 }, 1);
    const recipe = { format: 2, seed: 5, backend: "wasm", steps } as const;
    await queue.begin("0123456789abcdef");
    const task = { of: 0, rung: 0, epochs: 1, seed: 5, recipe };
    const impossible = {
      ...recipe,
      steps: [{ ...steps[0]!, target: { bytes: 0.001 }, acceptNearest: false }],
    };
    const [good, bad] = await Promise.all([
      queue.run({ task, recipe }),
      queue.run({ task: { ...task, of: 1 }, recipe: impossible as typeof recipe }),
    ]);
    await queue.close();
    expect(good.model!.history.length).toBeGreaterThan(0);
    const here = await runTrial({
      ...{ model, recipe },
      workbench: { ...workbench, data: async () => forecastingDataFor(model, source) },
    });
    expect(good.result).toEqual(here.result);
    expect(bad).toMatchObject({ error: expect.stringMatching(/cannot be met/), host: hostname() });
    const { failed } = await queueStatus(postgres.url);
    expect(failed).toMatchObject([
      { cell: { label: "c1-rung0-seed5", data: { dataset: expect.stringMatching(/^sha256:/) } } },
    ]);
  }, 120_000);

  it("ends in one line if somebody cancels it", async () => {
    const { request, queue } = searchOver(postgres.url);
    const found = search({ ...request, settings: { ...request.settings, seed: 77 }, queue });
    const ended = expect(found).rejects.toThrow(/^search [0-9a-f]{12} was cancelled\. The same command/);
    let id: string | undefined;
    while (id === undefined) {
      await pause(50);
      const { sweeps } = await queueStatus(postgres.url);
      id = sweeps.find(({ cells, done, failed }) => cells > done + failed)?.id;
    }
    await cancelSweep(postgres.url, id);
    await ended;
    await queue.close();
    // The same command goes on, however long it takes before it hands the next trial out.
    const again = searchOver(postgres.url).queue;
    await again.begin(id.padEnd(24, "0"));
    const { sweeps } = await queueStatus(postgres.url);
    expect(sweeps.find((sweep) => sweep.id === id)!.cancelled).toBeFalsy();
    await again.close();
  }, 120_000);

  it("whose every process is killed goes on by the same command, and stores nothing twice", async () => {
    const out = join(folder, "killed");
    const journal = join(folder, "journal");
    const settings: Settings = { queue: postgres.url, out, config: {}, lease: 10, journal };
    const all = () => [
      start("search-process.ts", postgres.url, out),
      ...["worker", "worker"].map((role) => start("process.ts", role, JSON.stringify(settings))),
    ];
    const first = all();
    while ((await linesOf(join(out, "search.jsonl"))).length < 5) await pause(20);
    for (const child of first) child.kill("SIGKILL");
    const database = new Database(postgres.url, { name: "test" });
    onTestFinished(() => database.close());
    const handedOut = await database.query<{ label: string }>(
      "SELECT spec->>'label' AS label FROM espalier.cell WHERE state = 'queued'",
    );
    const [again] = all();
    expect(await new Promise((resolve) => again!.once("exit", resolve))).toBe(0);
    const records = (await linesOf(join(out, "search.jsonl"))).map(
      (line) => JSON.parse(line) as SearchRecord,
    );
    const trials = records.flatMap((record) => (record.kind === "trial" ? [modelName(record)] : []));
    expect(new Set(trials).size).toBe(trials.length);
    // Those in flight when all were killed came in, too; no result was stored twice.
    expect(trials).toEqual(expect.arrayContaining(handedOut.rows.map(({ label }) => label)));
    const stored = await linesOf(journal);
    expect(new Set(stored).size).toBe(stored.length);
  }, 180_000);
});
