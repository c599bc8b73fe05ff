import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readResults, type SweepInput } from "@espalier/bench";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Database, pause } from "../src/database.ts";
import { binaries, lacking, type Postgres, startPostgres } from "./postgres.ts";

let postgres: Postgres;
let folder: string;

/** 2 dense models, 38 pruned ones (a target is there twice); nothing is computed. */
const config: SweepInput = {
  name: "killed",
  models: [{ use: "DLinear" }],
  datasets: ["synthetic"],
  strategies: [{ use: "unstructured" }],
  targets: Array.from({ length: 20 }, (_, i) => ({ sparsity: (1 + (i % 19)) / 20 })),
  timedTargets: [],
  seeds: [0, 1],
};

function start(role: "worker" | "sweep"): ChildProcess {
  const settings = {
    queue: postgres.url,
    out: join(folder, "out"),
    config,
    lease: 10,
    dry: 150,
    journal: join(folder, "journal"),
  };
  const entry = fileURLToPath(new URL("process.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--conditions=@espalier/source", entry, role, JSON.stringify(settings)],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

const stored = () =>
  readFile(join(folder, "journal"), "utf8").then(
    (text) => text.trim().split("\n"),
    () => [],
  );

describe.skipIf(binaries === undefined)(`a sweep whose every process is killed at once${lacking}`, () => {
  beforeAll(async () => {
    postgres = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), "espalier-killed-"));
  });
  afterAll(async () => {
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("goes on by the same command, and does again only what ran", async () => {
    const first = [start("sweep"), start("worker"), start("worker")];
    while ((await stored()).length < 8) await pause(50);
    for (const child of first) child.kill("SIGKILL");
    const coordinator = start("sweep");
    start("worker");
    start("worker");
    const code = await new Promise((resolve) => coordinator.once("exit", resolve));
    expect(code).toBe(0);
    const records = await readResults(join(folder, "out", "results.jsonl"));
    expect(new Set(records.map(({ id }) => id)).size).toBe(40);
    expect(records).toHaveLength(40);
    const journal = await stored();
    expect(new Set(journal).size).toBe(journal.length);
    const database = new Database(postgres.url, { name: "test" });
    onTestFinished(() => database.close());
    // What others wait for comes first.
    const { rows } = await database.query<{ kind: string; priority: number }>(
      "SELECT spec->>'kind' AS kind, min(priority) AS priority FROM espalier.cell GROUP BY 1 ORDER BY 2 DESC",
    );
    expect(rows.map(({ kind }) => kind)).toEqual(["train", "prune"]);
  }, 120_000);
});
