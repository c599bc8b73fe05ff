/**
 * Compares the search with random search and with the gallery's fixed recipes, at equal processor time: `pnpm bench:search`
 * with small models that it trains, or with model files; runs that are in `results/search` already are kept. With `--from`, takes over what `espalier search` left in folders
 * instead. Both write the page again.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { account, type Model } from "@espalier/core";
import { unknownName } from "@espalier/core/documents";
import { type ForecastingData, forecastingDataOf, spacedWindows } from "@espalier/datasets";
import { loadDataset } from "@espalier/datasets/node";
import { loadModel } from "@espalier/formats/node";
import { iTransformer, patchTST } from "@espalier/models";
import { run, type Workbench } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import { drawFigures, toMarkdown } from "@espalier/report";
import { findingsOf, parseRecords, type SettingsInput } from "@espalier/search";
import { evaluate } from "@espalier/training";
import { runScript } from "../script.ts";
import { published } from "./asked.ts";
import { type Contestant, type ContestantName, contestants } from "./contest.ts";
import { type Found, searchesDocument } from "./document.ts";
import { areaOf, type ContestRun, worst } from "./hypervolume.ts";

const lengths = { inputLength: 96, horizon: 24 };
const sizes = { ...lengths, width: 32, feedForward: 64, heads: 4, layers: 2, dropout: 0.1 };
const models = {
  iTransformer: (series: number) => iTransformer({ ...sizes, series }),
  PatchTST: (series: number) => patchTST({ ...sizes, series }),
} as const;
const datasets = ["ETTh1", "exchange_rate"] as const;

/** The corner of the area that counts is the search's limit; random search and the gallery have none. */
const goal = { minimize: "bytes", error: `+${Math.round(100 * (worst - 1))}%` } as const;
/** How models from files are tuned, and small ones that were trained briefly. */
const full = { epochs: 9, proposals: 2, repeats: 1, front: true } as const;
const brief = { ...full, epochs: 6, batchesPerEpoch: 40 } as const;
/** Validation windows, evenly spaced: all of them would take longer than training does. */
const validated = 400;

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

const usage = `pnpm bench:search [MODEL...] [options]
  MODEL            model files; small models, trained for this, by default
  --from FOLDER    take over the searches in FOLDER/<name>, and write the page; nothing is run
  --model NAME     of the small models only: ${Object.keys(models).join(", ")}; repeatable
  --dataset NAME   on these data sets only: ${datasets.join(", ")}; repeatable; ETTh1 for model files
  --way NAME       these ways only: ${Object.keys(contestants).join(", ")}; repeatable
  --seconds N      processor time of each contestant (30)
  --runs N         runs with different seeds (3)
  --out FOLDER     where results are and go (results/search)`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      way: { type: "string", multiple: true },
      from: { type: "string" },
      model: { type: "string", multiple: true },
      dataset: { type: "string", multiple: true },
      seconds: { type: "string", default: "30" },
      runs: { type: "string", default: "3" },
      out: { type: "string", default: "results/search" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  const out = resolve(values.out);
  await mkdir(out, { recursive: true });
  if (values.from !== undefined) {
    for (const { name } of published) {
      const made = join(resolve(values.from), name, "search.jsonl");
      if (existsSync(made)) await copyFile(made, join(out, `${name}.jsonl`));
    }
  } else {
    const of = <T extends string>(what: string, all: readonly T[], asked: readonly string[] = all): T[] =>
      asked.map((name) => {
        const found = all.find((one) => one === name);
        if (found === undefined) throw unknownName(what, name, all);
        return found;
      });
    const files = positionals.map((file) => () => givenSubject(file, values.dataset?.[0] ?? "ETTh1"));
    const names = of("model", Object.keys(models) as (keyof typeof models)[], values.model);
    const small = names.flatMap((name) =>
      of("data set", datasets, values.dataset).map((dataset) => () => smallSubject(name, dataset)),
    );
    await contendAll({
      subjects: files.length > 0 ? files : small,
      ways: of("way", Object.keys(contestants) as ContestantName[], values.way),
      seconds: Number(values.seconds),
      runs: Number(values.runs),
      out,
    });
  }
  await writePage(out);
}

const contestFile = "hypervolume.json";

function contestIn(out: string): Promise<ContestRun[]> {
  return readFile(join(out, contestFile), "utf8").then(JSON.parse, () => []);
}

/** Runs every contestant on every model and data set, except those whose results are there. */
async function contendAll({
  subjects,
  ways,
  seconds,
  runs,
  out,
}: {
  readonly subjects: readonly (() => Promise<Subject>)[];
  readonly ways: readonly ContestantName[];
  readonly seconds: number;
  readonly runs: number;
  readonly out: string;
}): Promise<void> {
  const known = await contestIn(out);
  for (const open of subjects) {
    const subject = await open();
    const { name, dataset } = subject;
    for (let seed = 0; seed < runs; seed++)
      for (const way of ways) {
        const same = { model: name, dataset, way, seed, seconds };
        const isSame = (run: ContestRun) =>
          Object.entries(same).every(([key, value]) => run[key as keyof ContestRun] === value);
        if (known.some(isSame)) continue;
        known.push({ ...same, ...(await contend(subject, contestants[way], seed, seconds)) });
        await writeFile(join(out, contestFile), `${JSON.stringify(known, null, 1)}\n`);
        const last = known.at(-1)!;
        console.log(
          `${name} on ${dataset}, ${way}, seed ${seed}: ${last.made.length} models, hypervolume ${areaOf(last, "validation").toFixed(3)}`,
        );
      }
  }
}

/** Draws the page from the results in a folder. */
async function writePage(out: string): Promise<void> {
  const found: Found[] = [];
  for (const search of published) {
    const path = join(out, `${search.name}.jsonl`);
    if (!existsSync(path)) continue;
    const { records } = parseRecords(await readFile(path, "utf8"), path);
    found.push({ search, findings: findingsOf(records) });
  }
  const document = searchesDocument(found, await contestIn(out));
  await mkdir(join(out, "charts"), { recursive: true });
  for (const [file, content] of (await drawFigures(document)).files)
    await writeFile(join(out, file), content);
  await writeFile(join(out, "README.md"), toMarkdown(document));
}

/** A model to prune, and its data. */
interface Subject {
  /** In the words of the page. */
  readonly name: string;
  readonly dataset: string;
  readonly model: Model;
  readonly data: ForecastingData;
  readonly workbench: Workbench;
  readonly settings: SettingsInput & { readonly epochs: number };
}

async function toolsFor(dataset: string, { inputLength, horizon }: typeof lengths) {
  const folder = process.env.ESPALIER_DATA;
  const table = await loadDataset(dataset, folder === undefined ? {} : { folder });
  const data = forecastingDataOf(table, { inputLength, horizon });
  const registry = createRegistry();
  const wasm = registry.backend("wasm");
  const workbench: Workbench = { registry, data: async () => data, backend: async () => wasm };
  return { data, workbench };
}

/** A model from a file. */
async function givenSubject(file: string, dataset: string): Promise<Subject> {
  const model = await loadModel(file);
  const options = model.options as typeof lengths & { readonly width: number };
  const name = `${model.name} ${options.width}`;
  return { name, dataset, model, settings: full, ...(await toolsFor(dataset, options)) };
}

/** A small model, trained for a few epochs. */
async function smallSubject(name: keyof typeof models, dataset: string): Promise<Subject> {
  const { data, workbench } = await toolsFor(dataset, lengths);
  const fit = { epochs: 6, batchSize: 32, batchesPerEpoch: 120, learningRate: 0.002, patience: 0 };
  const drawn = models[name](data.train.series).initialize(1);
  const { model } = await run({
    recipe: { format: 2, steps: [{ do: "train", fit: { ...fit, rateSchedule: "cosine" } }] },
    model: drawn,
    workbench,
  });
  return { name: `small ${name}`, dataset, model, data, workbench, settings: brief };
}

async function contend(
  { model, data, workbench, settings }: Subject,
  contestant: Contestant,
  seed: number,
  seconds: number,
): Promise<Pick<ContestRun, "made" | "dense" | "cpu">> {
  // Windows of its own: forecasts of the teacher that are kept for one contestant must not help the next.
  const own = {
    ...data,
    train: { ...data.train },
    validation: spacedWindows(data.validation, validated),
  };
  const contest = { model, data: own, workbench: { ...workbench, data: async () => own }, goal };
  const models = await within(seconds, (signal) =>
    contestant({ ...contest, settings: { ...settings, seed }, signal }),
  );
  const wasm = await workbench.backend("wasm");
  const test = async (one: Model) => (await evaluate({ model: one, backend: wasm, windows: data.test })).mse;
  const validation = (await evaluate({ model, backend: wasm, windows: own.validation })).mse;
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
