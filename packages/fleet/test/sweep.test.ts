import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import {
  isFailure,
  type ResultRecord,
  readResults,
  readSweepConfig,
  runSweep,
  type SweepInput,
} from "@espalier/bench";
import { EspalierError, type StrategyPlugin } from "@espalier/core";
import { createRegistry } from "@espalier/recipe/standard";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { Database, pause } from "../src/database.ts";
import {
  cancelSweep,
  collectGarbage,
  type FleetSweepOptions,
  type QueuedCell,
  queueStatus,
  runFleetSweep,
  type WorkerEvent,
  type WorkerOptions,
  work,
} from "../src/index.ts";
import { Objects } from "../src/objects.ts";
import { binaries, lacking, type Postgres, startPostgres } from "./postgres.ts";

let postgres: Postgres;
let folder: string;

/** One dense model, two pruned ones, two timings. */
function tiny(changes: Partial<SweepInput> = {}): SweepInput {
  return {
    name: "tiny",
    models: [{ use: "DLinear" }],
    datasets: [join(folder, "waves.csv")],
    inputLength: 12,
    horizon: 4,
    strategies: [{ use: "unstructured" }],
    targets: [{ sparsity: 0.5 }, { sparsity: 0.7 }],
    training: { epochs: 1, batchSize: 8, batchesPerEpoch: 3 },
    fineTuning: [{ epochs: 1, batchSize: 8, batchesPerEpoch: 2 }],
    backends: ["wasm"],
    batchSizes: [1],
    latency: { time: 5, samples: 7 },
    ...changes,
  };
}

function sweep(out: string, input: SweepInput, options: Partial<FleetSweepOptions> = {}) {
  return runFleetSweep(readSweepConfig(input), {
    queue: postgres.url,
    out: join(folder, out),
    registry: createRegistry(),
    lease: 10,
    ...options,
  });
}

function worker(options: Partial<WorkerOptions> = {}) {
  return work({ queue: postgres.url, registry: createRegistry(), files: join(folder, "files"), ...options });
}

/** A worker that waits for work until the test ends. */
function waitingWorker(options: Partial<WorkerOptions> = {}): { readonly stop: () => Promise<void> } {
  const stop = new AbortController();
  const running = worker({ keepWaiting: true, signal: stop.signal, ...options });
  running.catch(() => {});
  const ended = async () => {
    stop.abort();
    await running;
  };
  onTestFinished(async () => {
    stop.abort();
    await running.catch(() => {});
  });
  return { stop: ended };
}

/** The database's clock, in milliseconds since 1970. */
async function now(): Promise<number> {
  const database = new Database(postgres.url, { name: "test" });
  const { rows } = await database.query<{ now: number }>(
    "SELECT 1000 * extract(epoch FROM clock_timestamp())::float8 AS now",
  );
  await database.close();
  return rows[0]!.now;
}

const times = [
  "environment",
  "seconds",
  "processorSeconds",
  "planSeconds",
  "speedup",
  "speedupSpread",
  "waited",
];

/** A record but for times and environment. */
function lasting(record: ResultRecord): string {
  return JSON.stringify(record, (key, value) =>
    times.includes(key) ||
    (record.cell.kind === "latency" && (key === "dense" || key === "pruned") && "median" in value)
      ? "left out"
      : value,
  );
}

describe.skipIf(binaries === undefined)(`a sweep over a queue${lacking}`, () => {
  beforeAll(async () => {
    postgres = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), "espalier-fleet-"));
    const rows = Array.from({ length: 160 }, (_, t) =>
      [Math.sin(t / 4), Math.cos(t / 7) + t / 200].map((v) => v.toFixed(4)).join(","),
    );
    await writeFile(join(folder, "waves.csv"), `a,b\n${rows.join("\n")}\n`);
  });
  afterAll(async () => {
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("writes what a sweep in one process writes, but for order, times and environment", async () => {
    const config = readSweepConfig(tiny({ sensitivity: { amounts: [0.5], windows: 4 } }));
    const local = await runSweep(config, { out: join(folder, "local"), registry: createRegistry() });
    waitingWorker();
    waitingWorker();
    const fleet = await sweep("fleet", tiny({ sensitivity: { amounts: [0.5], windows: 4 } }));
    expect(fleet).toMatchObject({ done: 6, kept: 0, failed: 0, aborted: false });
    const text = await readFile(fleet.results, "utf8");
    expect(text.trimEnd().split("\n")).toHaveLength(6);
    expect((await readResults(fleet.results)).map(lasting).sort()).toEqual(local.records.map(lasting).sort());
    // Where each ran; what kind of vector instructions decided its last digits.
    for (const { environment } of fleet.records)
      expect(environment).toMatchObject({
        host: hostname(),
        processor: expect.any(String),
        simd: expect.stringMatching(/^(relaxed|128-bit)$/),
      });
    expect(await sweep("fleet", tiny({ sensitivity: { amounts: [0.5], windows: 4 } }))).toMatchObject({
      done: 0,
      kept: 6,
    });
  });

  it("of two coordinators is done once, and both have all of it", async () => {
    const input = tiny({ targets: [{ sparsity: 0.4 }], datasets: ["synthetic"], evaluationWindows: 4 });
    const more = { ...input, targets: [{ sparsity: 0.4 }, { sparsity: 0.6 }] } as SweepInput;
    let finished = 0;
    const counting = { onCell: ({ outcome }: WorkerEvent) => void (outcome === "done" && finished++) };
    waitingWorker(counting);
    waitingWorker(counting);
    const [one, other] = await Promise.all([sweep("one", input), sweep("other", more)]);
    expect([one.records.length, other.records.length, finished]).toEqual([3, 5, 5]);
    const shared = new Set(one.records.map(({ id }) => id));
    expect(one.records.map(lasting).sort()).toEqual(
      other.records
        .filter(({ id }) => shared.has(id))
        .map(lasting)
        .sort(),
    );
  });

  it("records what always fails with its error, and what needs it; the rest is done", async () => {
    const registry = createRegistry([broken]);
    const plugins = { broken: "1" };
    const tried: string[] = [];
    waitingWorker({
      registry,
      plugins,
      tries: 2,
      onCell: ({ outcome }) => void (outcome !== "started" && tried.push(outcome)),
    });
    const input = tiny({
      strategies: [{ use: "unstructured" }, { use: "broken" }],
      targets: [{ sparsity: 0.45 }],
    });
    const result = await sweep("failing", input, { registry, plugins });
    expect(result).toMatchObject({ done: 3, failed: 2 });
    expect(tried.sort()).toEqual(["done", "done", "failed", "failed", "retried"]);
    const errors = result.records.flatMap((record) => (isFailure(record) ? [record.error] : []));
    expect(errors.sort()).toEqual(["out of order", "pruning failed: out of order"]);
    const { failed } = await queueStatus(postgres.url);
    expect(failed.map(({ error }) => error).sort()).toEqual(errors.sort());
  });

  it("is left alone by workers that lack a plug-in, a backend, or the version", async () => {
    const registry = createRegistry([broken]);
    const options = { registry, plugins: { broken: "1" }, signal: AbortSignal.timeout(3000) };
    const input = tiny({ strategies: [{ use: "broken" }], targets: [{ sparsity: 0.35 }], batchSizes: [2] });
    await sweep("refused", input, options);
    await expect(worker()).rejects.toThrow(
      /take none of the cells.*"broken" of a plug-in: start the worker with/,
    );
    await expect(worker({ registry, plugins: { broken: "2" } })).rejects.toThrow(/not the one of the sweep/);
    await expect(worker({ registry, plugins: { broken: "1" }, backends: ["tfjs-cpu"] })).rejects.toThrow(
      /backend wasm, which --backends leaves out/,
    );
    const database = new Database(postgres.url, { name: "test" });
    onTestFinished(() => database.close());
    await database.query(
      `UPDATE espalier.lane SET needs = jsonb_set(needs::jsonb, '{versions,espalier}', '"0.0.1"')::json
       WHERE needs::jsonb->'plugins' ? 'broken'`,
    );
    const other = { registry, plugins: { broken: "1" } };
    await expect(worker(other)).rejects.toThrow(
      /they need espalier 0\.0\.1, and this worker has \S+: npm install espalier@0\.0\.1\.$/,
    );
    const { id } = (await queueStatus(postgres.url)).sweeps.at(-1)!;
    expect(await cancelSweep(postgres.url, id.slice(0, 6))).toBe(2);
    expect(await worker()).toEqual({ done: 0 });
    await expect(cancelSweep(postgres.url, "xyz")).rejects.toThrow(/sweep in the queue "xyz" is not known/);
  });

  it("takes times on the machine that was named, alone", async () => {
    const input = tiny({ targets: [{ sparsity: 0.25 }], batchSizes: [1, 2, 3] });
    const waiting = sweep("timed", input, { timingHost: "elsewhere", signal: AbortSignal.timeout(6000) });
    await pause(1500);
    await expect(worker({ only: "times" })).rejects.toThrow(/times are taken on elsewhere alone/);
    expect(await waiting).toMatchObject({ aborted: true });
    const submitFor = (timingProcessor: string) =>
      sweep("timed", input, { timingProcessor, signal: AbortSignal.timeout(1500) });
    await submitFor("Analytical Engine");
    await expect(worker({ only: "times" })).rejects.toThrow(
      /times are taken on Analytical Engine alone \(--processor\), this is /,
    );
    let [running, most] = [0, 0];
    const counting = {
      async execute(cell: QueuedCell, id: string) {
        running += cell.kind === "latency" ? 100 : 1;
        most = Math.max(most, running);
        await pause(200);
        running -= cell.kind === "latency" ? 100 : 1;
        return made(cell, id);
      },
    };
    for (let i = 0; i < 3; i++) waitingWorker(counting);
    await sweep("timed", tiny({ targets: [0.15, 0.2, 0.25].map((sparsity) => ({ sparsity })) }), {
      timingHost: hostname(),
      timingProcessor: cpus()[0]?.model.trim().slice(1) ?? "unknown",
    });
    expect(most).toBe(100);
  });

  it("makes a damaged model again, and stores one of 100 MB", async () => {
    const database = new Database(postgres.url, { name: "test" });
    onTestFinished(() => database.close());
    const input = tiny({
      targets: [{ sparsity: 0.1 }],
      training: { epochs: 2, batchesPerEpoch: 2 },
      batchSizes: [1],
    });
    const first = await sweep("damaged", input, { signal: AbortSignal.timeout(300) });
    expect(first.aborted).toBe(true);
    waitingWorker({ only: "work" });
    await sweep("damaged", input, { signal: AbortSignal.timeout(6000) });
    await database.query(
      "UPDATE espalier.object_part SET content = overlay(content PLACING '\\x00ff' FROM 300)",
    );
    waitingWorker({ only: "times" });
    expect(await sweep("damaged", input)).toMatchObject({ failed: 0, aborted: false });

    const objects = new Objects(database);
    const large = new Uint8Array(Uint32Array.from({ length: 25 * 2 ** 20 }, (_, i) => i).buffer);
    const name = await objects.put(large);
    expect(Buffer.compare((await objects.get(name))!, large)).toBe(0);
    await database.query("DELETE FROM espalier.object_part WHERE sha256 = $1 AND part = 3", [name]);
    await expect(objects.get(name)).rejects.toThrow(/is damaged/);
    await database.query("UPDATE espalier.object SET created = now() - interval '2 hours'");
    const { objects: removed } = await collectGarbage(postgres.url);
    expect(removed).toBeGreaterThan(1);
    expect(await collectGarbage(postgres.url)).toEqual({ objects: 0, bytes: 0 });
  });

  it("refuses data that is not what was submitted", async () => {
    const input = tiny({ targets: [{ sparsity: 0.05 }], horizon: 5 });
    await sweep("data", input, { signal: AbortSignal.timeout(1500) });
    const database = new Database(postgres.url, { name: "test" });
    onTestFinished(() => database.close());
    await database.query(
      "UPDATE espalier.cell SET spec = replace(spec::text, 'waves.csv', '../waves.csv')::json WHERE state = 'queued'",
    );
    await expect(worker()).rejects.toThrow(/names a file by a path, which no worker opens/);
    await database.query(
      `UPDATE espalier.cell SET spec = replace(replace(spec::text, '../waves.csv', 'waves.csv'), '"seed":0', '"seed":1')::json WHERE state = 'queued'`,
    );
    await expect(worker()).rejects.toThrow(/not what was submitted/);
    const { id } = (await queueStatus(postgres.url)).sweeps.at(-1)!;
    await cancelSweep(postgres.url, id);
  });

  it("asks no clock but the database's", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2001-01-01") });
    onTestFinished(() => void vi.useRealTimers());
    const before = Math.floor(await now());
    waitingWorker();
    const input = tiny({ targets: [{ sparsity: 0.9 }], horizon: 6, batchSizes: [1] });
    const { records, failed } = await sweep("clock", input);
    const after = await now();
    expect([records.length, failed]).toEqual([3, 0]);
    for (const { environment } of records) {
      expect(Date.parse(environment.date)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(environment.date)).toBeLessThanOrEqual(after);
    }
    expect((await queueStatus(postgres.url)).workers).not.toEqual([]);
  });

  it("gives a cell back where a file was damaged or a disk cannot be written, and says so", async () => {
    const input = tiny({ targets: [{ sparsity: 0.85 }], horizon: 7, timedTargets: [] });
    const submit = () => sweep("disk", input, { signal: AbortSignal.timeout(1500) });
    await submit();
    const database = new Database(postgres.url, { name: "test" });
    onTestFinished(() => database.close());
    await database.query("UPDATE espalier.object_part SET content = '\\x00'");
    await expect(worker({ files: join(folder, "other") })).rejects.toThrow(
      /file waves\.csv is not stored, or was damaged\. Start the sweep or search again, which stores it\.$/,
    );
    await submit();
    // Even root makes nothing there.
    await expect(worker({ files: "/sys/espalier" })).rejects.toThrow(/^cannot write \/sys\/espalier/);
    waitingWorker({ files: join(folder, "other") });
    expect(await sweep("disk", input)).toMatchObject({ done: 2, failed: 0 });
  });

  it("says in one line what is wrong with a database, and never a password", async () => {
    const at = `127.0.0.1:${postgres.port}`;
    const database = new Database(postgres.url, { name: "test" });
    onTestFinished(() => database.close());
    await database.query("CREATE ROLE guest LOGIN PASSWORD 'sesame'");
    await database.query("CREATE DATABASE empty");
    const to = (queue: string) => work({ queue, registry: createRegistry() });
    await expect(to("http://somewhere")).rejects.toThrow(/--queue must be the URL of a PostgreSQL database/);
    await expect(to("postgres://guest:sesame@127.0.0.1:1/postgres")).rejects.toThrow(
      /^(?!.*sesame).*no PostgreSQL answers/,
    );
    await expect(to(`postgres://guest:open@${at}/postgres`)).rejects.toThrow(
      /^(?!.*open).*the password of "guest" is missing or wrong/,
    );
    await expect(to(`postgres://guest:sesame@${at}/nowhere`)).rejects.toThrow(
      /there is no database "nowhere"/,
    );
    await expect(to(`postgres://guest:sesame@${at}/empty`)).rejects.toThrow(
      /GRANT CREATE ON DATABASE "empty" TO "guest"/,
    );
    await database.query('GRANT CREATE ON DATABASE "empty" TO "guest"');
    expect(await to(`postgres://guest:sesame@${at}/empty`)).toEqual({ done: 0 });
    await database.query("CREATE DATABASE bare");
    await expect(queueStatus(`postgres://espalier@${at}/bare`)).rejects.toThrow(/nothing was ever submitted/);
  });
});

/** A strategy that fails. */
const broken: StrategyPlugin = {
  name: "broken",
  description: "fails",
  create: () => ({
    name: "broken",
    plan: () => Promise.reject(new EspalierError("out of order")),
  }),
};

function made(cell: QueuedCell, id: string): ResultRecord {
  const environment = {
    date: "",
    processor: "",
    cores: 1,
    platform: "",
    node: "",
    versions: {},
    dataChecksum: "",
  };
  return { cell, result: {}, format: 1, id, environment, seconds: 0 } as unknown as ResultRecord;
}
