/**
 * A forward pass on `webgpu` against `tfjs-webgpu`: same adapter, same process, taking turns; dense, and with half of all
 * channels removed; inputs and outputs copied. `pnpm --filter @espalier/backend-webgpu bench [runs] [batches]`,
 * by default 15 runs at batch 1,3,32.
 * Medians, and the median of the ratios of neighbouring runs. On a software adapter the figures compare two programs on a
 * processor and say nothing about a GPU: the first line says which it is.
 */
import { tfjs } from "@espalier/backend-tfjs";
import { type Backend, type Model, type Program, prune, randomInputs } from "@espalier/core";
import { largestError } from "@espalier/core/testing";
import { iTransformer, patchTST } from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { webgpu } from "../src/index.ts";

const runs = Number(process.argv[2] ?? 15);
const batches = (process.argv[3] ?? "1,3,32").split(",").map(Number);
const own = webgpu();
const peer = tfjs({ kind: "webgpu" });
for (const backend of [own, peer]) {
  const { available, detail } = await backend.availability();
  console.log(`${backend.name}: ${available ? "" : "not available: "}${detail}`);
  if (!available) process.exit(1);
}

const lengths = { inputLength: 96, horizon: 96, series: 7 };
const models: readonly Model[] = [
  iTransformer({ ...lengths, width: 128, layers: 2 }).initialize(0),
  patchTST({ ...lengths, width: 64, layers: 2 }).initialize(0),
];

async function compile(backend: Backend, { graph, tensors }: Model, batch: number): Promise<Program> {
  return backend.compile(graph, { state: await backend.createState(tensors), batch: [batch] });
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
}

/** Milliseconds of each, run by run. */
async function alternate(model: Model, batch: number): Promise<{ own: number[]; peer: number[] }> {
  const inputs = randomInputs(model, batch);
  const programs = { own: await compile(own, model, batch), peer: await compile(peer, model, batch) };
  const times = { own: [] as number[], peer: [] as number[] };
  const [a, b] = [await programs.own.run(inputs), await programs.peer.run(inputs)];
  for (const [name, output] of a) {
    const error = largestError(output, b.get(name)!);
    if (!(error < 1e-3)) throw new Error(`${model.name}: "${name}" differs by ${error}`);
  }
  for (let i = -2; i < runs; i++) {
    for (const name of i % 2 === 0 ? (["own", "peer"] as const) : (["peer", "own"] as const)) {
      const start = performance.now();
      await programs[name].run(inputs);
      if (i >= 0) times[name].push(performance.now() - start);
    }
  }
  for (const program of Object.values(programs)) program.dispose();
  return times;
}

const cell = (text: string | number, width = 10) =>
  (typeof text === "number" ? text.toFixed(2) : text).padStart(width);
console.log(
  [
    "model".padEnd(14),
    ...["batch", "channels", "own ms", "tfjs ms", "own is", "pruning"].map((t) => cell(t)),
  ].join(""),
);
for (const dense of models) {
  const plan = await channel({ scope: "local", multipleOf: 4 }).plan({ model: dense, amount: 0.5 });
  const variants = [
    ["all", dense],
    ["half", prune(dense, plan)],
  ] as const;
  for (const batch of batches) {
    let before = 0;
    for (const [channels, model] of variants) {
      const times = await alternate(model, batch);
      const ratio = median(times.peer.map((time, i) => time / times.own[i]!));
      const time = median(times.own);
      if (channels === "all") before = time;
      const gained = channels === "all" ? "" : `${(before / time).toFixed(2)} ×`;
      const columns = [batch.toString(), channels, time, median(times.peer), `${ratio.toFixed(2)} ×`, gained];
      console.log([dense.name.padEnd(14), ...columns.map((column) => cell(column))].join(""));
    }
  }
}
