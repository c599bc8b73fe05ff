import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { readSweepConfig, runSweep } from "@espalier/bench";
import { createRegistry } from "@espalier/recipe/standard";
import { expect, it, onTestFinished } from "vitest";
import { summaryLines, writeReport } from "../src/index.ts";

it("draws what a sweep leaves, its models among it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "espalier-report-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const data = join(folder, "waves.csv");
  const rows = Array.from({ length: 160 }, (_, t) => [Math.sin(t / 4), Math.cos(t / 7) + t / 200].join(","));
  await writeFile(data, `a,b\n${rows.join("\n")}\n`);
  const config = readSweepConfig({
    models: [{ use: "iTransformer", width: 8, feedForward: 8, heads: 2, layers: 1 }],
    datasets: [data],
    inputLength: 12,
    horizon: 4,
    strategies: [{ use: "unstructured" }, { use: "channel" }, { use: "head" }],
    targets: [{ sparsity: 0.5 }],
    training: { epochs: 1, batchSize: 8, batchesPerEpoch: 3 },
    fineTuning: [{ epochs: 1, batchSize: 8, batchesPerEpoch: 2 }],
    backends: ["tfjs-wasm", "reference"],
    batchSizes: [1],
    latency: { time: 5, samples: 7 },
  });
  const out = join(folder, "out");
  const { records } = await runSweep(config, { out, registry: createRegistry() });
  const report = await writeReport(records, { out: join(out, "report"), models: join(out, "models") });
  const drawn = report.charts
    .filter((path) => path.endsWith(".svg"))
    .map((path) => path.replace(/^.*waves-csv-/, ""));
  expect(drawn).toEqual([
    "at-a-glance.svg",
    "model-size.svg",
    "parameters-flops.svg",
    "error-sparsity.svg",
    "error-size.svg",
    "density-layers.svg",
    "density-heads.svg",
    "speedup.svg",
    "latency.svg",
    "error-latency.svg",
    "importance.svg",
    "masks-1.svg",
    "masks-2.svg",
    "masks-3.svg",
  ]);
  expect(summaryLines(records)[0]).toBe("iTransformer on waves.csv, 12 → 4");

  // A damaged model costs its charts.
  const dense = records.find(({ cell }) => cell.kind === "train")!;
  await writeFile(join(out, "models", `${dense.id}.safetensors`), "not a model");
  const notes: string[] = [];
  const again = await writeReport(records, {
    out: join(out, "report"),
    models: join(out, "models"),
    force: true,
    onNote: (line) => notes.push(line),
  });
  expect(notes).toHaveLength(1);
  expect(notes[0]).toMatch(new RegExp(`${dense.id}.safetensors: .* Its charts are left out\\.$`));
  expect(report.charts.filter((path) => !again.charts.includes(path)).map((path) => basename(path))).toEqual([
    "itransformer-on-waves-csv-importance.svg",
    "itransformer-on-waves-csv-importance.png",
  ]);
});
