import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { webgpu } from "@espalier/backend-webgpu";
import { reference } from "@espalier/core";
import { backendChecks } from "@espalier/core/testing";
import { drawFigures, toMarkdown } from "@espalier/report";
import { describe, expect, it, onTestFinished } from "vitest";
import { stage } from "../gpu/stage.ts";
import {
  checkConformance,
  gpuModels,
  gpuSubjects,
  onSoftware,
  type PeerResults,
  parsePeerResults,
  peersDocument,
  peersSummaryLines,
  verdicts,
} from "../peers/index.ts";

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "espalier-gpu-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Results in which the own backend takes so many milliseconds, and TensorFlow.js 10. */
function resultsWith(own: Readonly<Record<string, number>>, software = false): PeerResults {
  const entry = (peer: string, variant: string, median: number) => ({
    ...{ peer, variant, alone: false },
    timing: { median, spread: 0.1, samples: 9 },
    rounds: [median, median, median] as [number, ...number[]],
  });
  const entries = [
    ...Object.entries(own).map(([variant, time]) => entry("webgpu", variant, time)),
    entry("tfjs-webgpu", "dense", 10),
  ];
  const size = { model: "PatchTST", parameters: 100, nonzero: 50, sparsity: 0.5, flops: 1 };
  return {
    format: 1,
    environment: {
      date: "2026-01-02T03:04:05Z",
      processor: "CPU",
      cores: 2,
      platform: "linux x64",
      node: "v24",
      versions: {},
    },
    settings: { time: 1, samples: 1, rounds: 9, tolerance: 1e-4 },
    own: "webgpu",
    peers: ["webgpu", "tfjs-webgpu"].map((name) => ({ name, detail: "NVIDIA H100, Dawn", software })),
    conformance: [
      { backend: "webgpu", tolerance: 1e-5, checks: 9, failures: [{ name: "Sin", error: "it is off" }] },
    ],
    sizes: [...Object.keys(own), "dense"].map((variant) => ({ ...size, variant })),
    runs: [1, 32, 256].map((batch) => ({
      ...{ model: "PatchTST", batch, task: "forecast" },
      entries,
      agreement: [],
    })),
    failures: [],
  };
}

describe("results of a GPU", () => {
  it("are held against what is promised for one", () => {
    const all = verdicts(resultsWith({ dense: 6, "channels-50": 3, "16x16-80": 2 }));
    const rows = all.filter(({ met }) => met !== undefined).map(({ what, batch, met }) => [what, batch, met]);
    expect(rows).toEqual([
      ["dense against tfjs-webgpu", 1, false],
      ["dense against tfjs-webgpu", 32, true],
      ["50 % of channels against own dense", 256, true],
    ]);
    const text = toMarkdown(peersDocument(resultsWith({ dense: 6, "channels-50": 3 })));
    expect(text).toContain("Promises: 2 of 3 kept");
    expect(text).toContain("NVIDIA H100");
    expect(text).toContain("webgpu: 8 of 9 checks hold (tolerance 0.00001)");
    expect(text).toContain("webgpu, Sin: it is off");
  });

  it("of a program that stands in for one claim no speed", () => {
    const results = resultsWith({ dense: 6, "channels-50": 3 }, true);
    expect(onSoftware(results)).toBe(true);
    expect(verdicts(results)).toEqual([]);
    const text = toMarkdown(peersDocument(results));
    expect(text).toMatch(/^# Without a GPU: correctness only\n/);
    expect(text).not.toMatch(/Promises|tfjs-webgpu dense|×/);
    expect(peersSummaryLines(results).join("\n")).not.toMatch(/\d×|promises/);
  });

  it("are drawn", async () => {
    const results = parsePeerResults(
      JSON.stringify(resultsWith({ dense: 6, "channels-50": 3, "16x16-80": 2 })),
      "results",
    );
    const { svgs, files } = await drawFigures(peersDocument(results));
    expect([...files.keys()]).toEqual(["charts/speed-up-patchtst.svg", "charts/speed-up-patchtst.png"]);
    expect([...svgs.values()].join()).toContain("16×16 blocks");
    expect(peersSummaryLines(results)).toContain(
      "PatchTST, batch 1, forecast: 6 ms, channels-50 2.00×, 16x16-80 3.00×, 1.67× as fast as tfjs-webgpu",
    );
  });
});

describe("the GPU's models", () => {
  it("are the ten", () => {
    expect(gpuModels).toHaveLength(10);
  });

  it("are drawn in small", async () => {
    for (const { name, load } of gpuSubjects("small")) {
      const model = await load();
      expect(model.graph.outputs.length, name).toBeGreaterThan(0);
    }
  });
});

describe("conformance", () => {
  it("names what does not hold, and goes on", async () => {
    const broken = {
      ...reference,
      async compile(...args: Parameters<typeof reference.compile>) {
        if (args[0].nodes.some(({ operator }) => operator.name === "Erf"))
          throw new Error("no such operator");
        return reference.compile(...args);
      },
    };
    const only = backendChecks(reference).length;
    const { checks, failures } = await checkConformance(broken, { name: "broken" });
    expect(checks).toBe(only);
    expect([...new Set(failures.map(({ error }) => error))]).toEqual(["no such operator"]);
    expect(failures.length).toBeLessThan(checks / 10);
  });
});

const { available, detail } = await webgpu().availability();
const packs = process.platform === "linux" && process.arch === "x64";
const reason = !packs ? ", skipped: it is packed on Linux x64" : available ? "" : `, skipped: ${detail}`;

describe(`the archive${reason}`, () => {
  it.skipIf(reason !== "")(
    "runs where there is nothing else, and brings results back",
    { timeout: 180_000 },
    async () => {
      const folder = await temporaryFolder();
      await stage(join(folder, "espalier-gpu"));
      const args = ["-c", 'exec env -i /bin/sh espalier-gpu/run "$@"', "sh"];
      const small = ["--preset", "small", "--models", "DLinear", "--batches", "2", "--no-conformance"];
      const { stdout } = await promisify(execFile)("/bin/sh", [...args, ...small], { cwd: folder });
      expect(stdout).toContain("1 comparisons, 0 failures");
      expect((await readdir(folder)).sort()).toEqual(["espalier-gpu", "espalier-gpu.json"]);
      const results = parsePeerResults(await readFile(join(folder, "espalier-gpu.json"), "utf8"), "results");
      expect(results).toMatchObject({
        own: "webgpu",
        environment: { versions: { webgpu: expect.any(String) } },
      });
      expect(results.runs[0]!.entries.map(({ peer, variant }) => `${peer} ${variant}`)).toEqual([
        "webgpu dense",
        "tfjs-webgpu dense",
        "webgpu 16x16-50",
        "webgpu 16x16-80",
      ]);
      const wrong = promisify(execFile)("/bin/sh", [...args, "--preset", "medium"], { cwd: folder });
      await expect(wrong).rejects.toMatchObject({
        code: 1,
        stderr: "espalier-gpu: --preset medium: give full or small.\n",
      });
    },
  );
});
