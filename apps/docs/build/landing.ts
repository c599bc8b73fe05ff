import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type LatencyRecord, labelOf, type PruneRecord, procedureOf, readResults } from "@espalier/bench";
import { statOf } from "@espalier/report";
import { parsePeerResults } from "../../../studies/peers/results.ts";
import { contenders, fastestIn } from "../../../studies/speed/fastest.ts";
import { flopsOf } from "../../../studies/speed/outcomes.ts";
import { speedStudy } from "../../../studies/speed/results.ts";

/** Content of the landing page. */
export interface LandingFigures {
  readonly equalError: EqualErrorFigures;
  readonly slider: SliderFigures;
  readonly race: RaceFigures;
  readonly smallest: readonly SmallestFigures[];
}

/** How many times as fast a pruned model is that forecasts no worse than the dense one. Test errors are means over the seeds. */
export interface EqualErrorFigures {
  readonly title: string;
  readonly processor: string;
  readonly seeds: number;
  readonly mse: { readonly trained: number; readonly trainedOn: number; readonly pruned: number };
  /** Share of the dense model's FLOPs. */
  readonly flops: number;
  readonly batches: readonly number[];
  readonly rows: readonly { readonly than: string; readonly speedups: readonly number[] }[];
}

/** A model and the smallest that a recipe of the gallery made of it; the test error is the mean of the seeds. */
export interface SmallestFigures {
  readonly model: string;
  readonly recipe: string;
  readonly dataset: string;
  readonly seeds: number;
  readonly dense: { readonly mse: number; readonly bytes: number };
  readonly pruned: {
    readonly mse: number;
    readonly bytes: number;
    /** Shares of the dense model's. */
    readonly share: { readonly bytes: number; readonly flops: number };
  };
}

/** A model on several runtimes: milliseconds a call, the slowest first. */
export interface RaceFigures {
  readonly title: string;
  readonly processor: string;
  readonly bars: readonly { readonly name: string; readonly own: boolean; readonly milliseconds: number }[];
}

/** Steps of the landing page's slider. */
export interface SliderFigures {
  readonly title: string;
  readonly strategy: string;
  readonly backend: string;
  readonly batch: number;
  readonly processor: string;
  /** The dense model first. */
  readonly rows: readonly {
    readonly sparsity: number;
    readonly mse: number;
    readonly bytes: number;
    readonly flops: number;
    readonly speedup: number;
  }[];
}

const shown = { model: "iTransformer", strategy: "combined", backend: "wasm", batch: 8 } as const;

/** Everything the landing page shows, out of the committed results. */
export async function landing(root: string): Promise<LandingFigures> {
  return {
    equalError: await equalError(),
    slider: await slider(root),
    race: await race(root),
    smallest: await smallest(root),
  };
}

async function equalError(): Promise<EqualErrorFigures> {
  const name = "itransformer-etth1";
  const study = await speedStudy(name);
  const fastest = study?.times.runs.map((run) => fastestIn(study.findings, run));
  const best = fastest?.[0]?.outcome;
  if (study === undefined || fastest === undefined || best === undefined)
    throw new Error(`landing: no pruned model of results/speed/${name}.jsonl is as good as the dense one`);
  const { findings, times } = study;
  const [{ cell, result }] = findings.dense as [(typeof findings.dense)[0]];
  const { model, data } = cell;
  return {
    title: `${model.use} of width ${model.width} on ${data.dataset}, ${data.inputLength} → ${data.horizon} steps`,
    processor: times.environment.processor,
    seeds: best.records.length,
    mse: {
      trained: statOf(findings.dense.map(({ result: { test } }) => test.mse)).mean,
      trainedOn: findings.reference.test.mean,
      pruned: best.test.mean,
    },
    flops: flopsOf(best) / result.counts.flops.effective,
    batches: times.runs.map(({ batch }) => batch),
    rows: contenders.map(({ label }, i) => ({
      than: label,
      speedups: fastest.map((one) => {
        const speedup = one?.speedups[i];
        if (speedup === undefined)
          throw new Error(`landing: results/speed/${name}-times.json lacks "${label}"`);
        return speedup;
      }),
    })),
  };
}

const smallestRecipes = [
  {
    model: "iTransformer",
    recipe: "removed-then-masked",
    label: /^attention and channels removed, then masked/,
  },
  { model: "PatchTST", recipe: "channels-then-masked", label: /^channels removed, then masked/ },
] as const;

async function smallest(root: string): Promise<SmallestFigures[]> {
  const path = join(root, "../../results/etth1-pruning/results.jsonl");
  const records = await readResults(path);
  return smallestRecipes.map(({ model, recipe, label }) => {
    const runs = records.filter(
      (record): record is PruneRecord =>
        record.cell.kind === "prune" &&
        "result" in record &&
        record.cell.dense.model.use === model &&
        label.test(labelOf(procedureOf(record.cell))),
    );
    if (runs.length === 0) throw new Error(`landing: ${path} has no ${recipe}`);
    const { result, cell } = runs[0]!;
    const dense = result.dense;
    const { bytes, flops } = result.counts;
    return {
      model,
      recipe,
      dataset: cell.dense.data.dataset,
      seeds: runs.length,
      dense: { mse: dense.test.mse!, bytes: dense.counts.bytes.stored },
      pruned: {
        mse: runs.reduce((sum, run) => sum + run.result.tuned.mse!, 0) / runs.length,
        bytes: bytes.stored,
        share: {
          bytes: bytes.stored / dense.counts.bytes.stored,
          flops: flops.effective / dense.counts.flops.effective,
        },
      },
    };
  });
}

const racers: readonly { readonly peer: string; readonly variant: string; readonly name: string }[] = [
  { peer: "onnxruntime-web", variant: "dense", name: "ONNX Runtime, WebAssembly" },
  { peer: "tfjs-wasm", variant: "dense", name: "TensorFlow.js, WebAssembly" },
  { peer: "onnxruntime-node", variant: "dense", name: "ONNX Runtime, native" },
  { peer: "wasm", variant: "dense", name: "Espalier, dense" },
  { peer: "wasm", variant: "channels-50", name: "Espalier, half of the channels" },
  { peer: "wasm", variant: "unstructured-90", name: "Espalier, 90 % zeros" },
];
const raced = { model: "iTransformer", width: 512, batch: 32 } as const;

async function race(root: string): Promise<RaceFigures> {
  const path = join(root, "../../results/peers/peers.json");
  const results = parsePeerResults(await readFile(path, "utf8"), path);
  const run = results.runs.find(
    ({ model, batch, task }) => model === raced.model && batch === raced.batch && task === "forecast",
  );
  const bars = racers.map(({ peer, variant, name }) => {
    const entry = run?.entries.find((e) => e.peer === peer && e.variant === variant && !e.alone);
    if (entry === undefined) throw new Error(`landing: ${path} has no ${peer}, ${variant}`);
    return { name, own: peer === "wasm", milliseconds: entry.timing.median };
  });
  return {
    title: `${raced.model} of width ${raced.width}, batch ${raced.batch}, one thread`,
    processor: results.environment.processor,
    bars: bars.sort((a, b) => b.milliseconds - a.milliseconds),
  };
}

/** One model, pruned by one strategy at rising sparsity. */
async function slider(root: string): Promise<SliderFigures> {
  const records = await readResults(join(root, "../../results/etth1-quick/results.jsonl"));
  const pruned = records.filter(
    (record): record is PruneRecord =>
      record.cell.kind === "prune" &&
      "result" in record &&
      record.cell.dense.model.use === shown.model &&
      procedureOf(record.cell).use === shown.strategy,
  );
  const timed = records.filter(
    (record): record is LatencyRecord =>
      record.cell.kind === "latency" &&
      "result" in record &&
      record.cell.backend === shown.backend &&
      record.cell.batch === shown.batch,
  );
  const first = pruned[0]!;
  const { counts, test } = first.result.dense;
  const rows = pruned.map(({ cell, result }) => {
    const timing = timed.find((record) => JSON.stringify(record.cell.pruned) === JSON.stringify(cell));
    if (timing === undefined) throw new Error(`landing: no timing of ${JSON.stringify(cell)}`);
    return {
      sparsity: result.sparsity,
      mse: result.tuned.mse!,
      bytes: result.counts.bytes.stored,
      flops: result.counts.flops.effective,
      speedup: timing.result.speedup,
    };
  });
  const { data } = first.cell.dense;
  return {
    title: `${shown.model} on ${data.dataset}, ${data.inputLength} → ${data.horizon} steps`,
    strategy: shown.strategy,
    backend: shown.backend,
    batch: shown.batch,
    processor: first.environment.processor,
    rows: [
      {
        sparsity: 0,
        mse: test.mse!,
        bytes: counts.bytes.stored,
        flops: counts.flops.effective,
        speedup: 1,
      },
      ...rows.sort((a, b) => a.sparsity - b.sparsity),
    ],
  };
}
