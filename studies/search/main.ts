/**
 * Compares the search with random search and with the gallery's fixed recipes, at equal processor time: `pnpm bench:search`.
 * Writes `results/search/hypervolume.json` and the table next to it; runs that are there already are kept.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { account, EspalierError, type Model } from "@espalier/core";
import { forecastingDataOf } from "@espalier/datasets";
import { loadDataset } from "@espalier/datasets/node";
import { iTransformer, patchTST } from "@espalier/models";
import { run, type Workbench } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import { evaluate } from "@espalier/training";
import { runScript } from "../script.ts";
import { type Contestant, contestants } from "./contest.ts";
import { type ContestRun, markdown } from "./document.ts";

const lengths = { inputLength: 96, horizon: 24 };
const sizes = { ...lengths, width: 32, feedForward: 64, heads: 4, layers: 2, dropout: 0.1 };
const models = {
  iTransformer: (series: number) => iTransformer({ ...sizes, series }),
  PatchTST: (series: number) => patchTST({ ...sizes, series }),
} as const;
const datasets = ["ETTh1", "exchange_rate"] as const;

/** The limit steers only the search. The front counts whole: random search and the gallery have no goal. */
const goal = { minimize: "bytes", error: "+1%" } as const;
const settings = { epochs: 6, batchesPerEpoch: 60, proposals: 2, repeats: 1 } as const;

/** Runs work until this process has spent its processor seconds. */
async function within<T>(seconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const start = process.cpuUsage();
  const watch = setInterval(() => {
    const { user, system } = process.cpuUsage(start);
    if ((user + system) / 1e6 >= seconds) controller.abort();
  }, 100);
  try {
    return await work(controller.signal);
  } finally {
    clearInterval(watch);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: "string", multiple: true },
      dataset: { type: "string", multiple: true },
      seconds: { type: "string", default: "90" },
      runs: { type: "string", default: "3" },
      out: { type: "string", default: "results/search" },
    },
  });
  const out = resolve(values.out);
  const file = join(out, "hypervolume.json");
  await mkdir(out, { recursive: true });
  const seconds = Number(values.seconds);
  const known: ContestRun[] = await readFile(file, "utf8").then(JSON.parse, () => []);
  const of = <T extends string>(all: readonly T[], asked: readonly string[] = all): T[] =>
    asked.map((name) => {
      const found = all.find((one) => one === name);
      if (found === undefined) throw new EspalierError(`${name} is not known. Known: ${all.join(", ")}.`);
      return found;
    });
  for (const name of of(Object.keys(models) as (keyof typeof models)[], values.model))
    for (const dataset of of(datasets, values.dataset)) {
      const subject = await subjectOf(name, dataset);
      for (let seed = 0; seed < Number(values.runs); seed++)
        for (const [way, contestant] of Object.entries(contestants)) {
          const same = { model: name, dataset, way, seed, seconds };
          const isSame = (run: ContestRun) =>
            Object.entries(same).every(([key, value]) => run[key as keyof ContestRun] === value);
          if (known.some(isSame)) continue;
          known.push({ ...same, ...(await contend(subject, contestant, seed, seconds)) });
          await writeFile(file, `${JSON.stringify(known, null, 1)}\n`);
          await writeFile(join(out, "hypervolume.md"), markdown(known));
          const last = known.at(-1)!;
          console.log(`${name} on ${dataset}, ${way}, seed ${seed}: ${last.made.length} models, ${last.cpu}`);
        }
    }
}

/** A small model, trained for a few epochs, and its data. */
async function subjectOf(name: keyof typeof models, dataset: string) {
  const folder = process.env.ESPALIER_DATA;
  const table = await loadDataset(dataset, folder === undefined ? {} : { folder });
  const data = forecastingDataOf(table, lengths);
  const registry = createRegistry();
  const wasm = registry.backend("wasm");
  const workbench: Workbench = { registry, data: async () => data, backend: async () => wasm };
  const fit = { epochs: 6, batchSize: 32, batchesPerEpoch: 120, learningRate: 0.002, patience: 0 };
  const drawn = models[name](data.train.series).initialize(1);
  const { model } = await run({
    recipe: { format: 2, steps: [{ do: "train", fit: { ...fit, rateSchedule: "cosine" } }] },
    model: drawn,
    workbench,
  });
  return { model, data, wasm, workbench };
}

async function contend(
  { model, data, wasm, workbench }: Awaited<ReturnType<typeof subjectOf>>,
  contestant: Contestant,
  seed: number,
  seconds: number,
): Promise<Pick<ContestRun, "made" | "dense" | "cpu">> {
  // Windows of its own: forecasts of the teacher that are kept for one contestant must not help the next.
  const own = { ...data, train: { ...data.train } };
  const contest = { model, data: own, workbench: { ...workbench, data: async () => own }, goal };
  const models = await within(seconds, (signal) =>
    contestant({ ...contest, settings: { ...settings, seed }, signal }),
  );
  const test = async (one: Model) => (await evaluate({ model: one, backend: wasm, windows: data.test })).mse;
  const validation = (await evaluate({ model, backend: wasm, windows: data.validation })).mse;
  const made = [];
  for (const { model: one, ...rest } of models) made.push({ ...rest, test: await test(one) });
  const { bytes } = account(model);
  return {
    made,
    dense: { bytes: bytes.stored, validation, test: await test(model) },
    cpu: cpus()[0]!.model,
  };
}

await runScript("bench:search", main);
