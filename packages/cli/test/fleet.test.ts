import { readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { binaries, lacking, type Postgres, startPostgres } from "../../fleet/test/postgres.ts";
import { espalier, type Ran, type RanIn, temporaryFolder, tinyTrain, words } from "./espalier.ts";

describe("a sweep or a search on many machines", () => {
  it.each([
    ["worker", "give --queue postgres://user@host/database, or set ESPALIER_QUEUE."],
    ["queue --cancel x", "give --queue postgres://user@host/database, or set ESPALIER_QUEUE."],
    ["worker --queue db.example", "--queue must be the URL of a PostgreSQL database"],
    [
      "queue --queue postgres://me:sesame@127.0.0.1:1/db",
      "queue 127.0.0.1:1/db: no PostgreSQL answers (ECONNREFUSED).",
    ],
    [
      "sweep --queue postgres://me:sesame@127.0.0.1:1/db",
      "queue 127.0.0.1:1/db: no PostgreSQL answers (ECONNREFUSED).",
    ],
    [
      "search m.safetensors --error +1% --minimize latency --queue postgres://db.example/espalier",
      "--queue: times of different machines cannot be compared, so latency can neither be limited nor minimized.",
    ],
    ["worker --only train", "Allowed choices are train,prune, latency."],
  ])("%s is answered by one line", async (line, message) => {
    const { code, stdout, stderr } = await espalier(words(line));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("sesame");
  });
});

describe.skipIf(binaries === undefined)(`the commands of a sweep on many machines${lacking}`, () => {
  let postgres: Postgres;
  let [queue, folder] = ["", ""];

  beforeAll(async () => {
    postgres = await startPostgres();
    queue = postgres.url;
    folder = await temporaryFolder(afterAll);
    await writeFile(join(folder, "sweep.yaml"), sweep);
  });
  afterAll(() => postgres?.stop());

  const shown: string[] = [];
  async function run(line: string, more: RanIn = {}): Promise<Ran> {
    const ran = await espalier(words(line), { cwd: folder, env: { ESPALIER_QUEUE: queue }, ...more });
    shown.push(ran.stdout, ran.stderr);
    return ran;
  }

  /** Runs a command until it says something, then as if Ctrl-C were pressed. */
  function runUntil(line: string, said: string): Promise<Ran> {
    const stop = new AbortController();
    const onNote = (text: string) => text.includes(said) && stop.abort();
    return run(line, { signal: stop.signal, onNote });
  }

  it("submit, work, show, and end with the report; nothing holds the password", async () => {
    // Nobody works yet: submitted, and left to others.
    const waiting = await runUntil("sweep sweep.yaml --out out", "no worker is running");
    expect(waiting.code).toBe(130);
    expect(waiting.stderr).toMatch(/submitted as [0-9a-f]{12}; Ctrl-C ends the waiting, not the workers/);
    expect(waiting.stderr).toContain("no worker is running: start some with espalier worker --queue");
    expect(waiting.stderr).toMatch(
      /espalier: stopped after 0 of 3 cells\. Repeat the command to continue\.\n$/,
    );
    expect((await run("queue")).stdout).toMatch(/\bsmall +0 +0 +3\n\nno workers/);

    const kept = new AbortController();
    const workers = Promise.all([run("worker --keep-waiting", { signal: kept.signal }), run("worker")]);
    onTestFinished(() => kept.abort());
    const done = await run("sweep sweep.yaml --out out --json");
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ done: 3, kept: 0, failed: 0, aborted: false });
    const status = JSON.parse((await run("queue --json")).stdout);
    expect(status).toMatchObject({ sweeps: [{ name: "small", cells: 3, done: 3, failed: 0 }], failed: [] });
    expect(status.workers[0]).toMatchObject({ host: hostname() });
    kept.abort();
    const ended = await workers;
    const counts = ended.map(({ stdout }) => Number(/^(\d) cells? done$/m.exec(stdout)?.[1]));
    expect(counts[0]! + counts[1]!).toBe(3);

    expect((await run("queue --gc")).stdout).toBe("0 objects removed, 0 B\n");
    expect((await run(`queue --cancel ${status.sweeps[0].id}`)).stdout).toBe("0 cells cancelled\n");
    for (const [line, message] of [
      ["queue --cancel nonesuch", /sweep in the queue "nonesuch" is not known/],
      [`worker --queue ${queue.replace("/postgres", "/nowhere")}`, /there is no database "nowhere"/],
      [
        `queue --queue ${queue.replace("espalier:", "guest:")}`,
        /the password of "guest" is missing or wrong/,
      ],
    ] as const) {
      const { code, stderr } = await run(line);
      expect([code, stderr], line).toEqual([1, expect.stringMatching(/^espalier: [^\n]+\n$/)]);
      expect(stderr).toMatch(message);
    }

    const files = await readdir(folder, { recursive: true, withFileTypes: true });
    const written = files.filter((file) => file.isFile());
    expect(written.map(({ name }) => name)).toEqual(expect.arrayContaining(["results.jsonl", "report.html"]));
    for (const { parentPath, name } of written)
      expect(await readFile(join(parentPath, name), "latin1"), name).not.toContain("sesame");
    expect(shown.join()).not.toContain("sesame");
  }, 60_000);

  it("search by workers, after a Ctrl-C with the trials that were in flight", async () => {
    expect(await run(tinyTrain("m.safetensors").join(" "))).toMatchObject({ code: 0 });
    const line =
      "search m.safetensors --error +100% --evaluations 4 --epochs 2 --reduction 2 --batches-per-epoch 3 " +
      "--proposals 1 --repeats 2 --no-compare --out found";
    const waiting = await runUntil(line, "candidate 0 (");
    expect(waiting.code).toBe(130);
    expect(waiting.stderr).toMatch(/handed out as [0-9a-f]{12}; Ctrl-C ends the waiting, not the workers/);
    expect(waiting.stderr).toContain(
      "no worker is running: start some with espalier worker --keep-waiting --queue",
    );
    const kept = new AbortController();
    onTestFinished(() => kept.abort());
    const worker = run("worker --keep-waiting", { signal: kept.signal });
    const { code, stdout, stderr } = await run(`${line} --resume --json`);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).chosen.trials).toHaveLength(2);
    kept.abort();
    const { stdout: done, stderr: cells } = await worker;
    const search = JSON.parse((await run("queue --json")).stdout).sweeps.at(-1);
    expect(search).toMatchObject({ name: "search iTransformer", failed: 0, cancelled: false });
    expect(done).toBe(`${search.cells} cells done\n`);
    expect(cells).toMatch(/search on synthetic, c0-rung0-seed0 +MSE [\d.]+ +[\d.]+ % +[\d.]+ m?s\n/);
  }, 60_000);

  it("restrict where times are taken", async () => {
    const config =
      "sweep sweep.yaml --out other --models DLinear --processor Nonesuch --timing-host elsewhere";
    await writeFile(join(folder, "sweep.yaml"), sweep.replace("0.5", "0.6"));
    await runUntil(config, "no worker is running");
    const refused = await run("worker --backends tfjs-cpu");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("they need the backend wasm, which --backends leaves out");
    expect(refused.stderr).toMatch(
      /\nespalier: this worker can take none of the cells in the queue: [^\n]+\n$/,
    );
    const { stderr, stdout } = await run("worker");
    // The dense model is there from the sweep before.
    expect(stdout).toBe("1 cell done\n");
    expect(stderr).toContain(
      `some cells are left to others: times are taken on elsewhere alone (--timing-host), this is ${hostname()}`,
    );
    expect((await runUntil(config, "no worker is running")).stderr).toContain("stopped after 2 of 3 cells");
  }, 60_000);
});

/** One dense model, one pruned, timed once. */
const sweep = `name: small
models: [{ use: DLinear }]
datasets: [synthetic]
inputLength: 24
horizon: 8
evaluationWindows: 16
strategies: [{ use: unstructured }]
targets: [{ sparsity: 0.5 }]
training: { epochs: 1, batchesPerEpoch: 4 }
fineTuning: [{ epochs: 1, batchesPerEpoch: 2 }]
backends: [wasm]
batchSizes: [1]
latency: { time: 5, samples: 5 }
`;
