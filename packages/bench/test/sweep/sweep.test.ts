import { appendFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Backend,
  digest,
  EspalierError,
  type Program,
  reference,
  type StrategyPlugin,
} from "@espalier/core";
import { saveModel } from "@espalier/formats/node";
import { drawModel, type Registry } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import { unstructured } from "@espalier/strategy-unstructured";
import type { OnProgress } from "@espalier/training";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  type Cell,
  type CellEvent,
  cellsOf,
  denseCell,
  isFailure,
  isLatency,
  isPrune,
  isSensitivity,
  isTrain,
  type LatencyCell,
  type ResultRecord,
  readResults,
  readSweepConfig,
  runSweep,
  type SweepInput,
  type SweepOptions,
} from "../../src/index.ts";

let data: string;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "espalier-sweep-data-"));
  const rows = Array.from({ length: 160 }, (_, t) =>
    [Math.sin(t / 4), Math.cos(t / 7) + t / 200].map((v) => v.toFixed(4)).join(","),
  );
  await writeFile(join(data, "waves.csv"), `a,b\n${rows.join("\n")}\n`);
  return () => rm(data, { recursive: true, force: true });
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-sweep-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The day and hour of an hourly row. */
function day(t: number): string {
  const two = (n: number) => `${n}`.padStart(2, "0");
  return `${two(1 + Math.floor(t / 24))} ${two(t % 24)}:00`;
}

/** One dense model, three pruned ones, six timings. */
function tiny(changes: Partial<SweepInput> = {}): SweepInput {
  return {
    models: [{ use: "iTransformer", width: 8, feedForward: 8, heads: 2, layers: 1 }],
    datasets: [join(data, "waves.csv")],
    inputLength: 12,
    horizon: 4,
    strategies: [{ use: "unstructured" }, { use: "channel" }, { use: "head" }],
    targets: [{ sparsity: 0.5 }],
    training: { epochs: 1, batchSize: 8, batchesPerEpoch: 3 },
    fineTuning: [{ epochs: 1, batchSize: 8, batchesPerEpoch: 2 }],
    backends: ["tfjs-wasm", "reference"],
    batchSizes: [1],
    latency: { time: 5, samples: 7 },
    ...changes,
  };
}

function run(out: string, input: SweepInput, options: Partial<SweepOptions> = {}) {
  return runSweep(readSweepConfig(input), { out, registry: createRegistry(), ...options });
}

/** What has to be the same however a sweep came to its end. */
function outcome(records: readonly ResultRecord[]): string[] {
  return records
    .map((record) => {
      if (isTrain(record)) return `${record.id} ${record.result.digest} ${record.result.test.mse}`;
      if (isPrune(record)) return `${record.id} ${record.result.digest} ${record.result.tuned.mse}`;
      return `${record.id} ${isLatency(record) ? record.result.sparsity : "failed"}`;
    })
    .sort();
}

describe("a sweep", () => {
  it("starts from weights beside its file, and keeps their path as it is written", async () => {
    const beside = await temporaryFolder();
    const out = await temporaryFolder();
    const models = [{ use: "iTransformer", width: 8, feedForward: 8, heads: 2, layers: 1 }];
    const start = drawModel(createRegistry(), models[0]!, {
      inputLength: 12,
      horizon: 4,
      series: 2,
    }).initialize(3);
    await saveModel(join(beside, "start.safetensors"), start);
    const { records } = await run(
      out,
      tiny({
        models: [{ ...models[0]!, weights: "start.safetensors" }],
        training: { epochs: 0 },
        strategies: [{ use: "unstructured" }],
        backends: ["reference"],
        timedTargets: [],
      }),
      { data: { beside } },
    );
    const [trained] = records.filter(isTrain);
    expect(trained!.cell.model.weights).toBe("start.safetensors");
    expect(trained!.result.digest).toBe(digest(start));
  });

  it("trains, prunes, fine-tunes and measures", async () => {
    const out = await temporaryFolder();
    const events: CellEvent[] = [];
    const result = await run(out, tiny(), { onCell: (event) => events.push(event) });
    expect(result).toMatchObject({ done: 10, kept: 0, failed: 0, aborted: false });
    expect(events.filter(({ outcome: o }) => o === "started")).toHaveLength(10);
    expect(events.at(-1)).toMatchObject({ outcome: "done", done: 10, total: 10 });
    const stored = await readResults(result.results);
    expect(stored).toEqual(result.records);
    const dense = stored.filter(isTrain)[0]!;
    expect(dense.result.epochs).toBe(1);
    for (const { cell, result: pruned, environment } of stored.filter(isPrune)) {
      expect(pruned.dense.test).toEqual(dense.result.test);
      expect(pruned.sparsity).toBeCloseTo(
        1 - pruned.counts.parameters.nonzero / dense.result.counts.parameters.total,
        10,
      );
      expect(pruned.target.met).toBe(Math.abs(pruned.sparsity - 0.5) <= 0.02);
      expect(pruned.tuned.mse).not.toBe(pruned.pruned.mse);
      expect(cell.dense).toEqual(dense.cell);
      expect(environment.versions).toMatchObject({
        espalier: expect.any(String),
        "@tensorflow/tfjs": "4.22.0",
      });
      expect(environment.simd).toMatch(/^(relaxed|128-bit)$/);
    }
    for (const { result: times } of stored.filter(isLatency)) {
      expect(times.dense.samples).toBeGreaterThanOrEqual(7);
      expect(times.pruned.median).toBeGreaterThan(0);
      expect(times.speedup).toBeGreaterThan(0);
    }
  });

  it("that is run again does nothing again, and takes on what is new", async () => {
    const out = await temporaryFolder();
    const small = tiny({ strategies: [{ use: "unstructured" }], backends: ["tfjs-wasm"] });
    const first = await run(out, small);
    const again = await run(out, { ...small, strategies: [{ label: "magnitude", use: "unstructured" }] });
    expect(again).toMatchObject({ done: 0, kept: 3 });
    const more = await run(out, { ...small, targets: [{ sparsity: 0.5 }, { sparsity: 0.7 }] });
    expect(more).toMatchObject({ done: 2, kept: 3 });
    const before = await run(out, small);
    expect(before.records).toEqual(first.records);
  });

  it("runs a combination that is listed twice only once", async () => {
    const out = await temporaryFolder();
    const result = await run(
      out,
      tiny({
        strategies: [{ use: "unstructured" }, { use: "unstructured" }],
        backends: ["tfjs-wasm"],
      }),
    );
    expect(result).toMatchObject({ done: 3, kept: 2 });
  });
});

describe("the order of cells", () => {
  const config = readSweepConfig({
    models: [{ use: "iTransformer" }, { use: "DLinear" }],
    datasets: ["synthetic"],
    strategies: [{ use: "unstructured" }],
    targets: [{ sparsity: 0.5 }, { sparsity: 0.7 }],
    seeds: [0, 1],
  });

  it("has the dense models first, then target by target, then times", () => {
    const text = (cell: Cell) => {
      const { model, seed } = denseCell(cell);
      const target = cell.kind === "prune" ? ` ${Object.values(cell.target).join()}` : "";
      return `${cell.kind} ${model.use} ${seed}${target}`;
    };
    const cells = cellsOf(config).map(text);
    expect(cells.slice(0, 8)).toEqual([
      "train iTransformer 0",
      "train DLinear 0",
      "prune iTransformer 0 0.5",
      "prune DLinear 0 0.5",
      "prune iTransformer 0 0.7",
      "prune DLinear 0 0.7",
      "train iTransformer 1",
      "train DLinear 1",
    ]);
    const times = cells.findIndex((cell) => cell.startsWith("latency"));
    expect(cells.slice(times).every((cell) => cell.startsWith("latency"))).toBe(true);
  });

  it("leaves out kinds that are not asked for", () => {
    const kinds = (only: SweepInput["only"]) =>
      new Set(cellsOf({ ...config, ...(only && { only }) }).map(({ kind }) => kind));
    expect(kinds(["prune"])).toEqual(new Set(["prune"]));
    expect(kinds(undefined)).toEqual(new Set(["train", "prune", "latency"]));
  });
});

describe("a sweep with options", () => {
  const quiet: Partial<SweepInput> = { fineTuning: [{ epochs: 0 }], strategies: [{ use: "unstructured" }] };

  it("times some of the targets, on every backend that is there", async () => {
    const { records } = await run(
      await temporaryFolder(),
      tiny({
        strategies: [{ use: "unstructured" }],
        targets: [{ sparsity: 0.3 }, { sparsity: 0.5 }],
        timedTargets: [{ sparsity: 0.5 }],
        backends: ["available"],
      }),
    );
    const timed = records.filter(isLatency).map(({ cell }) => [cell.backend, cell.pruned.target]);
    expect(timed.map(([backend]) => backend)).toEqual(
      expect.arrayContaining(["wasm", "tfjs-wasm", "tfjs-cpu"]),
    );
    expect(timed.map(([backend]) => backend)).not.toContain("reference");
    expect(timed.every(([, target]) => (target as { sparsity: number }).sparsity === 0.5)).toBe(true);
  });

  it("refuses to time what is no target", async () => {
    const wrong = tiny({ timedTargets: [{ sparsity: 0.6 }] });
    await expect(run(await temporaryFolder(), wrong)).rejects.toThrow("sweep, timedTargets.0: ");
  });

  it("measures each layer of the dense model pruned alone", async () => {
    const input = tiny({ ...quiet, backends: ["tfjs-wasm"], sensitivity: { amounts: [0, 0.9], windows: 5 } });
    const { records } = await run(await temporaryFolder(), { ...input, timedTargets: [] });
    const measured = records.filter(isSensitivity);
    expect(measured).toHaveLength(1);
    const { amounts, layers, error } = measured[0]!.result;
    expect(amounts).toEqual([0, 0.9]);
    // Nothing masked changes nothing.
    for (const { errors } of layers) expect(errors[0]).toBe(error);
    expect(layers.some(({ errors }) => errors[1] !== error)).toBe(true);
  });

  it("records the size of each model's file, and where asked the errors of rounded weights", async () => {
    const input = tiny({ ...quiet, timedTargets: [] });
    const out = await temporaryFolder();
    const { records } = await run(out, input);
    for (const record of records) {
      if (!isTrain(record) && !isPrune(record)) throw new Error(record.cell.kind);
      const { bytes, errors } = record.result.files!;
      const file = await readFile(join(out, "models", `${record.id}.safetensors`));
      expect(bytes).toEqual({ float32: file.length, int8: expect.any(Number) });
      expect(bytes.int8).toBeLessThan(bytes.float32);
      expect(errors).toBeUndefined();
    }
    const asked = await run(await temporaryFolder(), { ...input, store: ["int8", "float16"] });
    const [dense, pruned] = [asked.records.find(isTrain)!.result, asked.records.find(isPrune)!.result];
    for (const [{ mse }, { errors }] of [
      [dense.test, dense.files!],
      [pruned.tuned, pruned.files!],
    ] as const) {
      expect(errors!.float16!.mse / mse).toBeCloseTo(1, 3);
      expect(errors!.int8!.mse / mse).toBeCloseTo(1, 1);
      expect(errors!.int8!.mse).not.toBe(mse);
    }
  });

  it("evaluates on some windows, evenly spaced", async () => {
    const errors = async (evaluationWindows: number) => {
      const input = tiny({ ...quiet, timedTargets: [], evaluationWindows });
      const { records } = await run(await temporaryFolder(), input);
      return records.find(isTrain)!.result.test.mse;
    };
    const [few, all, more] = [await errors(3), await errors(1000), await errors(2000)];
    expect(all).toBe(more);
    expect(few).not.toBe(all);
  });

  it("measures forecasts that need no model, by series if their units differ", async () => {
    const file = join(await temporaryFolder(), "units.csv");
    const rows = Array.from(
      { length: 160 },
      (_, t) => `2024-01-${day(t)},${t % 2},${1000 * Math.sin(t / 3)}`,
    );
    await writeFile(file, `date,small,large\n${rows.join("\n")}\n`);
    const input = tiny({ ...quiet, timedTargets: [], datasets: [file], strategies: [{ use: "channel" }] });
    const { records } = await run(await temporaryFolder(), input);
    const [dense, pruned] = [records.find(isTrain)!.result, records.find(isPrune)!.result];
    // Hours: no season fits into twelve rows.
    expect(dense.naive).toMatchObject({
      season: 24,
      last: { bySeries: [{ name: "small" }, { name: "large" }] },
    });
    expect(dense.naive!.seasonal).toBeUndefined();
    // Each second value differs by one.
    expect(dense.naive!.last.bySeries![0]).toMatchObject({ mse: 0.5, mae: 0.5, mase: null });
    expect(dense.naive!.last.bySeries![1]!.mase).toBeGreaterThan(0);
    expect(pruned.tuned.bySeries!.map(({ name }) => name)).toEqual(["small", "large"]);
    expect(pruned.tuned.mase).toBeGreaterThan(0);
    expect(pruned.dense.test.mase).toBe(dense.test.mase);
  });

  it("gives a decoder the rows it starts from", async () => {
    const model = { use: "Transformer", width: 8, feedForward: 8, heads: 2, layers: 1, marks: 0 };
    const input = tiny({ ...quiet, timedTargets: [], models: [{ ...model, labelLength: 6 }] });
    const { failed, records } = await run(await temporaryFolder(), input);
    expect(failed).toBe(0);
    expect(records.find(isPrune)!.result.tuned.mse).toBeGreaterThan(0);
  });
});

describe("a sweep that was stopped", () => {
  it("goes on where it was, and ends as if it had not been", async () => {
    const whole = await run(await temporaryFolder(), tiny());
    const out = await temporaryFolder();
    const stop = new AbortController();
    const first = await run(out, tiny(), {
      signal: stop.signal,
      onCell: ({ done }) => done === 4 && stop.abort(),
    });
    expect(first).toMatchObject({ done: 4, aborted: true });
    const second = await run(out, tiny());
    expect(second).toMatchObject({ done: 6, kept: 4, aborted: false });
    expect(outcome(second.records)).toEqual(outcome(whole.records));
  });

  it("in the middle of training keeps no half result", async () => {
    const out = await temporaryFolder();
    const stop = new AbortController();
    const result = await run(out, tiny(), { signal: stop.signal, onProgress: () => stop.abort() });
    expect(result).toMatchObject({ done: 0, failed: 0, aborted: true });
    expect(await readFile(result.results, "utf8").catch(() => "")).toBe("");
    expect(await readdir(join(out, "models"))).toEqual([]);
  });

  it("after an epoch of training goes on from there, in another process's place", async () => {
    const long = tiny({
      training: { epochs: 3, batchSize: 8, batchesPerEpoch: 3, patience: 0 },
      strategies: [{ use: "unstructured" }],
      fineTuning: [{ epochs: 2, batchSize: 8, batchesPerEpoch: 3, patience: 0 }],
      timedTargets: [],
    });
    const whole = await run(await temporaryFolder(), long);
    const out = await temporaryFolder();
    const steps = { training: 0, again: 0 };
    const stopAt = (most: number, key: keyof typeof steps) => {
      const stop = new AbortController();
      const onProgress: OnProgress = ({ what }) => {
        if (what.startsWith("epoch") && ++steps[key] > most) stop.abort();
      };
      return { signal: stop.signal, onProgress };
    };
    // In the second of three epochs, and then in the second of fine-tuning.
    expect(await run(out, long, stopAt(4, "training"))).toMatchObject({ done: 0, aborted: true });
    expect(await run(out, long, stopAt(6 + 4, "again"))).toMatchObject({ done: 1, aborted: true });
    let rest = 0;
    const last = await run(out, long, {
      onProgress({ what }) {
        if (what.startsWith("epoch")) rest++;
      },
    });
    expect(last).toMatchObject({ done: 1, kept: 1, aborted: false });
    expect(rest).toBeLessThanOrEqual(3);
    expect(outcome(last.records)).toEqual(outcome(whole.records));
    expect((await readdir(join(out, "models"))).filter((name) => !name.endsWith(".safetensors"))).toEqual([]);
  });

  it("in the middle of a line repairs its file", async () => {
    const whole = await run(await temporaryFolder(), tiny());
    const out = await temporaryFolder();
    const { results } = await run(out, tiny());
    const text = await readFile(results, "utf8");
    const lines = text.split("\n");
    const cut = `${lines.slice(0, 5).join("\n")}\n${lines[5]!.slice(0, 200)}`;
    await writeFile(results, cut);
    expect(await readResults(results)).toHaveLength(5);
    const again = await run(out, tiny());
    expect(again).toMatchObject({ done: 5, kept: 5 });
    expect((await readResults(results)).length).toBe(10);
    expect(outcome(again.records)).toEqual(outcome(whole.records));
  });

  it("and lost its models makes them again, the same", async () => {
    const out = await temporaryFolder();
    const small = tiny({ strategies: [{ use: "channel" }], backends: ["tfjs-wasm"] });
    const first = await run(out, small);
    await rm(join(out, "models"), { recursive: true });
    const more = await run(out, { ...small, fineTuning: [small.fineTuning![0]!, { epochs: 0 }] });
    expect(more).toMatchObject({ done: 1, kept: 3 });
    const [dense] = first.records.filter(isTrain);
    const untuned = more.records
      .filter(isPrune)
      .find(({ cell }) => "fineTuning" in cell && cell.fineTuning.epochs === 0)!;
    expect(untuned.result.dense.test).toEqual(dense!.result.test);
    const tuned = first.records.filter(isPrune)[0]!;
    expect(untuned.result.pruned).toEqual(tuned.result.pruned);
    expect(untuned.result.tuned).toEqual(untuned.result.pruned);
  });

  it.skipIf(process.platform !== "linux")("ends where models cannot be written", async () => {
    const out = await temporaryFolder();
    await symlink("/sys", join(out, "models"));
    await expect(run(out, tiny())).rejects.toThrow(/^cannot write .*models\/\w+\.unfinished: /);
    expect(await readdir(out)).toEqual(["models"]);
  });

  it("refuses a results file that is damaged before its end", async () => {
    const out = await temporaryFolder();
    const path = join(out, "results.jsonl");
    await writeFile(path, 'not json\n{"format":1}\n');
    await expect(run(out, tiny())).rejects.toThrow(`${path}, line 1: not a results record (not JSON).`);
    await writeFile(path, "");
    await appendFile(path, '{"format":2,"id":"x","cell":{}}\n');
    await expect(run(out, tiny())).rejects.toThrow("results format 2 is newer");
  });
});

/** Magnitude pruning that breaks at a target, as long as it is told to. */
function fragile(state: { broken: boolean }): StrategyPlugin {
  return {
    name: "fragile",
    description: "breaks on request",
    create({ label: _, ...options }) {
      const strategy = unstructured();
      return {
        name: "fragile",
        plan(request) {
          if (state.broken && options.fail === true) throw new EspalierError("it broke");
          return strategy.plan(request);
        },
      };
    },
  };
}

describe("a cell that fails", () => {
  it("costs itself and what needs it, and is tried again by the next run", async () => {
    const out = await temporaryFolder();
    const state = { broken: true };
    const registry = createRegistry([fragile(state)]);
    const config = tiny({
      strategies: [{ use: "fragile", fail: true }, { use: "channel" }],
      backends: ["tfjs-wasm"],
    });
    const first = await run(out, config, { registry });
    expect(first).toMatchObject({ done: 3, failed: 2, aborted: false });
    expect(first.records.filter(isFailure).map(({ error }) => error)).toEqual([
      "it broke",
      "pruning failed: it broke",
    ]);
    state.broken = false;
    const second = await run(out, config, { registry });
    expect(second).toMatchObject({ done: 2, kept: 3, failed: 0 });
  });

  it("names a backend that the machine lacks", async () => {
    const base = createRegistry();
    const gone = {
      ...base.backend("reference"),
      availability: async () => ({ available: false, detail: "no such device" }),
    };
    const registry: Registry = {
      ...base,
      backend: (name) => (name === "reference" ? gone : base.backend(name)),
    };
    const result = await run(await temporaryFolder(), tiny({ strategies: [{ use: "channel" }] }), {
      registry,
    });
    expect(result).toMatchObject({ done: 3, failed: 1 });
    expect(result.records.filter(isFailure)[0]!.error).toBe(
      "backend reference is not available: no such device",
    );
  });
});

/** The reference backend, whose device is lost in a run of a program; counts what it has not been given back. */
function losesItsDevice(at: { program: number; run: number }): { backend: Backend; held: () => number } {
  let [made, held, lost] = [0, 0, false];
  /** The same thing, counted until it is disposed of. */
  const counted = <T extends { dispose(): void }>(thing: T): T => {
    held++;
    const dispose = thing.dispose.bind(thing);
    thing.dispose = () => {
      held--;
      dispose();
    };
    return thing;
  };
  const backend: Backend = {
    ...reference,
    createState: async (tensors) => counted(await reference.createState(tensors)),
    async compile(graph, options) {
      const program = await reference.compile(graph, options);
      const number = made++;
      let runs = 0;
      const run: Program["run"] = (inputs, read) => {
        lost ||= number === at.program && runs++ === at.run;
        if (lost) throw new EspalierError("a run of 7 kernels: the device was lost");
        return program.run(inputs, read);
      };
      return counted({ ...program, run, dispose: () => program.dispose() });
    },
  };
  return { backend, held: () => held };
}

function registryWith(backend: Backend): Registry {
  const base = createRegistry();
  return { ...base, backend: (name) => (name === "reference" ? backend : base.backend(name)) };
}

describe("a backend that fails in the middle", () => {
  it("of a measurement costs its own cells only, and gives back what it held", async () => {
    const { backend, held } = losesItsDevice({ program: 3, run: 4 });
    const result = await run(await temporaryFolder(), tiny(), { registry: registryWith(backend) });
    const timed = result.records.filter(({ cell }) => cell.kind === "latency");
    const outcomes = timed.map((record) => {
      const { backend: name } = record.cell as LatencyCell;
      return `${name} ${isFailure(record) ? record.error : "timed"}`;
    });
    expect(outcomes.filter((one) => one.startsWith("tfjs-wasm"))).toEqual(Array(3).fill("tfjs-wasm timed"));
    const lost = "reference a run of 7 kernels: the device was lost";
    expect(outcomes.filter((one) => one.startsWith("reference"))).toEqual(["reference timed", lost, lost]);
    expect(result).toMatchObject({ done: 8, failed: 2 });
    expect(held()).toBe(0);
  });

  it("of training costs that model's cells only, and gives back what it held", async () => {
    const { backend, held } = losesItsDevice({ program: 0, run: 2 });
    const config = tiny({ trainingBackend: "reference", backends: ["tfjs-wasm"] });
    const result = await run(await temporaryFolder(), config, { registry: registryWith(backend) });
    expect(result).toMatchObject({ done: 0, failed: 7 });
    const errors = result.records.filter(isFailure).map(({ error }) => error);
    expect(errors[0]).toBe("a run of 7 kernels: the device was lost");
    expect(new Set(errors.slice(1)).size).toBe(1);
    expect(errors[1]).toContain("training failed: a run of 7 kernels: the device was lost");
    expect(held()).toBe(0);
  });

  it("or stands in for a GPU gives no times", async () => {
    const software = {
      ...reference,
      availability: async () => ({
        available: true,
        detail: "SwiftShader (software: correctness only)",
        software: true,
      }),
    };
    const config = tiny({ strategies: [{ use: "channel" }] });
    const result = await run(await temporaryFolder(), config, { registry: registryWith(software) });
    expect(result).toMatchObject({ done: 3, failed: 1 });
    expect(result.records.filter(isFailure)[0]!.error).toMatch(
      /SwiftShader .* its times say nothing about a GPU/,
    );
  });
});

describe("a sweep that could not run", () => {
  it.each([
    [
      "a strategy",
      { strategies: [{ use: "unstructured" }, { use: "chanel" }] },
      /^sweep, strategies\.1: strategy "chanel" is not known\. Did you mean "channel"\?/,
    ],
    [
      "a model",
      { models: [{ use: "iTransfromer" }] },
      /^sweep, models\.0: model "iTransfromer" is not known\. Did you mean "iTransformer"\?/i,
    ],
    [
      "a model's option",
      { models: [{ use: "iTransformer", widht: 8 }] },
      /^sweep, models\.0: model "iTransformer", widht/,
    ],
    [
      "a model's fit",
      { models: [{ use: "iTransformer", width: 9, heads: 2 }] },
      /^sweep, models\.0: model "iTransformer"/,
    ],
    [
      "a model's time marks",
      { models: [{ use: "Informer", labelLength: 4, marks: 4 }] },
      /^sweep, models\.0: model "Informer", marks: the data's rows have 0 time marks, not 4/,
    ],
    ["a backend", { backends: ["tfjs-wams"] }, /^sweep, backends\.0: backend "tfjs-wams" is not known/],
    ["a data set", { datasets: ["ETTh9"] }, /ETTh9/],
  ] satisfies [string, Partial<SweepInput>, RegExp][])(
    "is refused for %s before any cell",
    async (_, changes, message) => {
      const events: CellEvent[] = [];
      const running = run(await temporaryFolder(), tiny(changes), { onCell: (event) => events.push(event) });
      await expect(running).rejects.toThrow(EspalierError);
      await expect(running).rejects.toThrow(message);
      expect(events).toEqual([]);
    },
  );
});
