import { tfjs } from "@espalier/backend-tfjs";
import { wasm } from "@espalier/backend-wasm";
import {
  isKept,
  keptCount,
  type Model,
  prunableDimensions,
  prunableTensors,
  reference,
  sparsity,
} from "@espalier/core";
import { drawEncoder, modelOf } from "@espalier/core/testing";
import { renderSvg, toMarkdown } from "@espalier/report";
import { litertInNode, litertVersion } from "@espalier/runtimes/litert-node";
import { describe, expect, it } from "vitest";
import { speedUpCurves } from "../peers/chart.ts";
import {
  agrees,
  backendPeer,
  compareCompiling,
  compareForecasts,
  compareThreads,
  compareTraining,
  mergePeerResults,
  type Peer,
  type PeerResults,
  type PeerRun,
  parsePeerResults,
  peersDocument,
  prepareSubject,
  randomSubjects,
  type Subject,
  selectVariants,
  sizesOf,
  variants,
  verdicts,
} from "../peers/index.ts";
import { litert } from "../peers/litert.ts";
import { onnxruntime } from "../peers/onnxruntime.ts";

const model = modelOf(drawEncoder({ tokens: 4, width: 16, feedForward: 32, heads: 4, layers: 1 }));
const variant = (id: string) => variants.find((one) => one.id === id)!;
const density = (of: Model, name: string) =>
  keptCount(of.masks.get(name)!) / of.tensors.get(name)!.data.length;

describe("variants", () => {
  it.each(["unstructured-90", "2x1-50", "4x1-80"])("%s has the same density in every weight", async (id) => {
    const { percent, make } = variant(id);
    const pruned = await make(model);
    for (const name of prunableTensors(model))
      expect(density(pruned, name)).toBeCloseTo(1 - percent / 100, 1);
    expect([...pruned.masks.keys()].sort()).toEqual(prunableTensors(model).sort());
  });

  it.each([
    ["2x1-50", 2],
    ["4x1-80", 4],
  ])("%s keeps or removes %i consecutive outputs of an input together", async (id, rows) => {
    const pruned = await variant(id).make(model);
    for (const [name, mask] of pruned.masks) {
      const [height, width] = mask.shape as [number, number];
      for (let row = 0; row < height; row += rows) {
        for (let column = 0; column < width; column++) {
          const block = Array.from({ length: Math.min(rows, height - row) }, (_, i) =>
            isKept(mask, (row + i) * width + column),
          );
          expect(new Set(block).size, name).toBe(1);
        }
      }
    }
  });

  it("channels-50 halves every width, and combined-80 masks 80 % of what is left", async () => {
    const halved = await variant("channels-50").make(model);
    const sizes = (of: Model) =>
      new Map(prunableDimensions(of.dimensions).map(({ name, size }) => [name, size]));
    for (const { name, kind, size } of prunableDimensions(model.dimensions)) {
      const expected = kind.endsWith("-channel") ? size : size / 2;
      expect(sizes(halved).get(name), name).toBe(expected);
    }
    expect(halved.masks.size).toBe(0);
    const combined = await variant("combined-80").make(model);
    expect(sizes(combined)).toEqual(sizes(halved));
    for (const name of prunableTensors(combined)) expect(density(combined, name)).toBeCloseTo(0.2, 1);
    expect(sparsity(combined)).toBeGreaterThan(0.85);
  });

  it("are chosen by id or family, dense always among them", () => {
    expect(selectVariants(["4x1", "unstructured-50"], variants).map(({ id }) => id)).toEqual([
      "dense",
      "unstructured-50",
      "4x1-50",
      "4x1-80",
      "4x1-90",
    ]);
    expect(() => selectVariants(["8x1"], variants)).toThrow(/variant "8x1" is not known/);
  });
});

const subject: Subject = { name: "encoder", variants, training: true, load: async () => model };
const prepared = () =>
  prepareSubject({ ...subject, variants: selectVariants(["unstructured-90", "channels"], variants) });
const own: Peer = { ...backendPeer(reference, true), name: "wasm" };
const options = {
  oracle: onnxruntime("node"),
  alone: onnxruntime("node"),
  timing: { time: 6, samples: 3, rounds: 3 },
};

describe("a comparison", () => {
  it("times what each peer has a use for, and finds that they compute the same", async () => {
    const peers = [
      own,
      backendPeer(tfjs({ kind: "wasm" }), false),
      onnxruntime("web"),
      litert(litertInNode, litertVersion),
      onnxruntime("node"),
    ];
    const run = await compareForecasts(await prepared(), 1, { ...options, peers });
    const names = run.entries.map(({ peer, variant: id, alone }) => `${peer} ${id}${alone ? " alone" : ""}`);
    expect(names).toEqual([
      "onnxruntime-node dense alone",
      ...peers.map(({ name }) => `${name} dense`),
      "wasm unstructured-90",
      ...peers.map(({ name }) => `${name} channels-50`),
    ]);
    for (const { peer, variant: id, timing, rounds } of run.entries) {
      expect(agrees(run, peer, id)).toBe(true);
      expect(timing.median).toBeGreaterThan(0);
      expect(rounds).toHaveLength(3);
    }
  });

  it("notices a peer that computes something else", async () => {
    const wrong: Peer = {
      ...own,
      async load(runnable, batch) {
        const loaded = await own.load(runnable, batch);
        return {
          ...loaded,
          async run(inputs) {
            const outputs = await loaded.run(inputs);
            return new Map(
              [...outputs].map(([name, y]) => [name, { ...y, data: y.data.map((v) => v * 1.001) }]),
            );
          },
        };
      },
    };
    const run = await compareForecasts(await prepared(), 3, { ...options, peers: [wrong] });
    expect(agrees(run, "wasm", "dense")).toBe(false);
  });

  it("times steps of training, and making ready", async () => {
    const peers = [own, backendPeer(tfjs({ kind: "cpu" }), false)];
    const training = await compareTraining(await prepared(), 2, { ...options, peers });
    expect(training.entries.map(({ peer, variant: id }) => `${peer} ${id}`)).toEqual([
      "wasm dense",
      "tfjs-cpu dense",
      "wasm unstructured-90",
    ]);
    for (const { peer, variant: id } of training.entries) expect(agrees(training, peer, id)).toBe(true);
    const compiling = await compareCompiling(await prepared(), { ...options, peers });
    expect(compiling.entries.map(({ peer }) => peer)).toEqual(["wasm", "tfjs-cpu"]);
  });

  it("sets two threads against one: forecasts and training, dense and at 90 %", async () => {
    const peers = [1, 2].map((threads) => backendPeer(wasm({ threads }), true));
    const runs = await compareThreads(await prepared(), 2, { ...options, peers });
    expect(runs.map(({ task }) => task)).toEqual(["threads forecast", "threads training"]);
    for (const run of runs) {
      const names = run.entries.map(({ peer, variant: id }) => `${peer} ${id}`);
      const expected = ["dense", "unstructured-90"].flatMap((id) => [`wasm ${id}`, `wasm:2 ${id}`]);
      expect(names).toEqual(expected);
      for (const { peer, variant: id } of run.entries) expect(agrees(run, peer, id)).toBe(true);
    }
  });

  it("has the three models of the promises", () => {
    expect(randomSubjects().map(({ name }) => name)).toEqual(["iTransformer", "PatchTST", "Crossformer"]);
  });
});

/** Results in which the own backend takes `own` ms, and others 10 ms. */
async function resultsWith(ownTimes: Readonly<Record<string, number>>): Promise<PeerResults> {
  const entry = (peer: string, id: string, median: number) => ({
    peer,
    variant: id,
    alone: false,
    timing: { median, spread: 0.1, samples: 9 },
    rounds: [median, median, median] as [number, ...number[]],
  });
  const sizes = sizesOf({ ...(await prepareSubject(subject)), name: "PatchTST" });
  const others = ["tfjs-wasm", "onnxruntime-web", "onnxruntime-node"].map((peer) => entry(peer, "dense", 10));
  const entries = [...Object.entries(ownTimes).map(([id, time]) => entry("wasm", id, time)), ...others];
  return {
    format: 1,
    environment: {
      date: "2026-01-02T03:04:05Z",
      processor: "Test CPU",
      cores: 2,
      platform: "linux x64",
      node: "v24",
      versions: {},
    },
    settings: { time: 1, samples: 1, rounds: 3 },
    peers: [],
    sizes,
    runs: [1, 32].map((batch) => ({
      model: "PatchTST",
      batch,
      task: "forecast" as const,
      entries,
      agreement: [],
    })),
    failures: [],
  };
}

describe("promises", () => {
  it("are kept or not, by the ratio of medians", async () => {
    const all = verdicts(await resultsWith({ dense: 4.9, "unstructured-90": 2, "2x1-50": 4, "4x1-50": 2.5 }));
    const at = (what: string) => all.find((v) => v.what === what && v.batch === 1)!;
    expect(at("dense against onnxruntime-web")).toMatchObject({ bound: 2, met: true });
    expect(at("90 % unstructured against own dense").measured!.median).toBeCloseTo(2.45);
    expect(at("90 % unstructured against own dense").met).toBe(false);
    expect(at("50 % in 2×1 or 4×1 blocks against own dense").measured!.median).toBeCloseTo(4.9 / 2.5);
    expect(at("50 % of channels against own dense").met).toBeUndefined();
  });

  it("of two threads and of the size of kernels", async () => {
    const results = await resultsWith({ dense: 5, "unstructured-90": 2 });
    results.modules = { relaxed: 42_000, plain: 120_000 };
    const two = (entries: PeerRun["entries"]) =>
      entries.flatMap((entry) => {
        const half = { median: entry.timing.median / 2, spread: 0.1, samples: 9 };
        const rounds = entry.rounds.map((time) => time / 2) as [number, ...number[]];
        return entry.peer === "wasm" ? [{ ...entry, peer: "wasm:2", timing: half, rounds }] : [];
      });
    const [, large] = results.runs;
    const entries = [...large!.entries, ...two(large!.entries)];
    results.runs.push({ ...large!, task: "threads forecast", entries });
    const at = (what: string) => verdicts(results).find((verdict) => verdict.what === what)!;
    expect(at("two threads against one, dense")).toMatchObject({ bound: 1.6, met: true });
    expect(at("two threads against one, 90 % unstructured").measured!.median).toBeCloseTo(2);
    expect(at("all kernels, relaxed SIMD").met).toBe(true);
    expect(at("all kernels, plain SIMD").met).toBe(false);
    const text = toMarkdown(peersDocument(results));
    expect(text).toContain("| all kernels, relaxed SIMD | 42.0 kB (≤ 100.0 kB) ✓ |");
    expect(text).toContain("a forecast on one thread and on more");
  });

  it("are not kept where outputs differ", async () => {
    const results = await resultsWith({ dense: 1, "unstructured-90": 0.1 });
    results.runs[0]!.agreement = [{ peer: "wasm", variant: "unstructured-90", error: null }];
    const [first] = verdicts(results).filter(({ what }) => what === "90 % unstructured against own dense");
    expect(first).toMatchObject({ batch: 1, measured: undefined, met: false });
    const text = toMarkdown(peersDocument(results));
    expect(text).toContain("outputs of wasm unstructured-90 differ");
    expect(text).toContain("outputs differ (≥ 4.20×) ✗");
  });

  it("are shown beside times, and as curves", async () => {
    const times = { dense: 5, "unstructured-50": 3, "unstructured-90": 1, "4x1-50": 2.5, "channels-50": 2 };
    const results = await resultsWith(times);
    const text = toMarkdown(peersDocument(results));
    expect(text).toContain("Test CPU (2 cores)");
    expect(text).toContain("| 90 % unstructured against own dense | 5.00× (≥ 4.20×) ✓ | 5.00× (≥ 4.20×) ✓ |");
    expect(text).toMatch(/\| wasm \| unstructured-90 \| 8\d\.\d % \|.*\| 1 ± 0.1 ms \| 5.00× \| 10.0× \|/);
    const svg = await renderSvg(speedUpCurves(results, "PatchTST")!);
    for (const label of ["single weights", "4×1 blocks", "onnxruntime-node", "batch 32"])
      expect(svg).toContain(label);
    expect(speedUpCurves(await resultsWith({}), "PatchTST")).toBeUndefined();
  });
});

describe("a results file", () => {
  it("may be what several runs on one machine measured", async () => {
    const [one, two] = [await resultsWith({ dense: 5 }), await resultsWith({ dense: 4 })];
    const both = mergePeerResults([one, { ...two, runs: two.runs.map((run) => ({ ...run, batch: 3 })) }]);
    expect(both.runs.map(({ batch }) => batch)).toEqual([1, 32, 3, 3]);
    expect(both.sizes).toEqual(one.sizes);
    const elsewhere = { ...two, environment: { ...two.environment, processor: "Other CPU" } };
    expect(() => mergePeerResults([one, elsewhere])).toThrow(/Test CPU.*Other CPU/);
  });

  it("is read back as it was, and refused where it is damaged or newer", async () => {
    const results = await resultsWith({ dense: 5 });
    expect(parsePeerResults(JSON.stringify(results), "peers.json")).toEqual(results);
    expect(() => parsePeerResults("{", "peers.json")).toThrow(/peers.json: not JSON/);
    expect(() => parsePeerResults(JSON.stringify({ ...results, format: 2 }), "peers.json")).toThrow(/newer/);
    expect(() => parsePeerResults(JSON.stringify({ ...results, runs: 3 }), "peers.json")).toThrow(
      /damaged at runs/,
    );
  });
});
