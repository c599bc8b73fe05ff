import { rm, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { machine, packageVersions } from "@espalier/bench";
import { EspalierError, type Json } from "@espalier/core";
import { loadModel, readBytes, saveModel, takeLock, writeFileAtomically } from "@espalier/formats/node";
import { formatRecipe, type Recipe } from "@espalier/recipe";
import { besideRecipe } from "@espalier/recipe/node";
import { plural } from "@espalier/report/text";
import {
  type Goal,
  galleryAt,
  isTimed,
  partsOf,
  readSearchFile,
  search as run,
  type SearchFile,
  type SearchResult,
  secondsOf,
} from "@espalier/search";
import { openSearch } from "@espalier/search/node";
import type { SearchOptions } from "../commands/search.ts";
import type { Context } from "../context.ts";
import { csvGiven } from "../options/csv.ts";
import { openBar } from "../output/progress.ts";
import { searchJson, searchLines } from "../output/searched.ts";
import { openSearchQueue, queueGiven } from "../shared/fleet.ts";
import { registryWith } from "../shared/plugins.ts";
import { showSearch } from "../shared/search-progress.ts";
import { CommandWorkbench } from "../shared/workbench.ts";
import { version } from "../version.ts";

/** `espalier search`. Ends with the path of the page, even after a Ctrl-C. */
export async function search(
  file: string | undefined,
  given: Partial<SearchOptions>,
  context: Context,
): Promise<void> {
  const registry = await registryWith(given.plugin, context);
  const { asked, named } = await searchOf(file, given, context);
  refuseIdle(asked);
  const { goal, settings } = partsOf(asked, named);
  const url = queueGiven(given, context);
  if (url !== undefined && isTimed(goal))
    throw new EspalierError(
      "--queue: times of different machines cannot be compared, so latency can neither be limited nor minimized. Use --flops or --minimize flops, or drop --queue (and ESPALIER_QUEUE).",
    );
  const path = context.path(asked.model!);
  const model = await loadModel(path);
  const name = basename(path, extname(path));
  const shown = given.out ?? join("espalier-out", `search-${name}`);
  const out = context.path(shown);
  await prepare(out, given);
  const store = await openSearch(out);
  const bar = await openBar(context);
  const data = asked.data ?? {};
  const threads = given.threads;
  const workbench = new CommandWorkbench({ registry, data, threads, context, bar });
  const { onEvent, onWorkers } = showSearch(bar, context);
  let queue: Awaited<ReturnType<typeof openSearchQueue>> | undefined;
  try {
    // Loaded before anything else, so that a wrong name or path is the first thing to be known.
    await workbench.data(model);
    context.endsInOrder(bar.line);
    if (url !== undefined) {
      const parts = { model, workbench, registry, options: given, context, bar, onWorkers };
      queue = await openSearchQueue({ queue: url, ...parts });
    }
    const strategies = [...(asked.strategies ?? []), ...pluginNames(given, registry)];
    const result = await run({
      ...{ model, goal, settings, workbench, store, onEvent },
      ...(queue && { queue }),
      ...(strategies.length > 0 && { strategies }),
      ...(asked.evaluations !== undefined && { evaluations: asked.evaluations }),
      ...(asked.budget !== undefined || asked.evaluations === undefined
        ? { seconds: secondsOf(asked.budget ?? "30m") }
        : {}),
      ...(given.compare !== false && { rivals: galleryAt }),
      test: async () => (await workbench.data(model)).test,
      environment: machine({ ...packageVersions(), espalier: version }) as unknown as Json,
      signal: context.signal,
    });
    // Nobody is told about workers any more.
    await queue?.close();
    queue = undefined;
    bar.stop();
    await finish(result, { out, shown, json: given.json ?? false, asked, context });
  } finally {
    bar.stop();
    await queue?.close();
    await store.close();
  }
}

/** Throws an EspalierError for a search without a model or a limit: it says what a search needs. */
function refuseIdle({ model, error, bytes, flops, latency, minimize }: SearchFile): void {
  const limited = [error, bytes, flops, latency].some((limit) => limit !== undefined);
  const needs = [
    ...(model === undefined ? ["a model file, or a search file that names one"] : []),
    ...(limited || (minimize !== undefined && minimize !== "error")
      ? []
      : [
          "a limit: --error +1% for the smallest model within it, or --bytes 0.1 for the best model of that size",
        ]),
  ];
  if (needs.length > 0) throw new EspalierError(`give ${needs.join(", and ")}. See espalier search --help.`);
}

/** The search that a command line stands for, and the names of its keys in the words of the user. */
async function searchOf(
  file: string | undefined,
  given: Partial<SearchOptions>,
  context: Context,
): Promise<{ asked: SearchFile; named: (key: keyof Goal | "front") => string }> {
  const isSearch = file !== undefined && [".yaml", ".yml", ".json"].includes(extname(file));
  const read = isSearch ? await loadSearch(file, context) : undefined;
  const { error, reference, bytes, flops, latency } = given;
  const { latencyBackend, batch, latencyTime, dataset, series, scale, splits } = given;
  const timing = { backend: latencyBackend, batch, time: latencyTime };
  const data = { dataset, series, scale, splits, ...csvGiven(given) };
  const limited = error ?? read?.error;
  const options = {
    model: isSearch ? undefined : file,
    ...{ error, reference, bytes, flops, latency },
    minimize: given.minimize ?? read?.minimize ?? (limited === undefined ? "error" : "bytes"),
    timing: isGiven(timing) ? { ...read?.timing, ...defined(timing) } : undefined,
    data: isGiven(data) ? { ...read?.data, ...defined(data) } : undefined,
    ...{ budget: given.budget, evaluations: given.evaluations, strategies: given.strategy },
    ...{ epochs: given.epochs, reduction: given.reduction, batchesPerEpoch: given.batchesPerEpoch },
    ...{
      front: given.front,
      proposals: given.proposals,
      repeats: given.repeats,
      seed: given.seed,
      backend: given.backend,
    },
  };
  const asked = { ...read, ...defined(options) } as SearchFile;
  const named = (key: keyof Goal | "front") => {
    if (isSearch && (given as Record<string, unknown>)[key] === undefined) return key;
    return key === "timing" ? "--latency-backend, --batch or --latency-time" : `--${key}`;
  };
  return { asked, named };
}

/** A search file, with the paths in it resolved beside it. */
async function loadSearch(file: string, context: Context): Promise<SearchFile> {
  const path = context.path(file);
  const text = new TextDecoder().decode(await readBytes(path, "search"));
  const read = readSearchFile(text, `search ${file}`);
  const folder = dirname(resolve(path));
  const beside = (given: string, key: string) => besideRecipe(folder, given, `search ${file}, ${key}`);
  const { model, data } = read;
  const dataset = data?.dataset;
  return {
    ...read,
    ...(model !== undefined && { model: await beside(model, "model") }),
    ...(dataset !== undefined &&
      extname(dataset) === ".csv" && { data: { ...data, dataset: await beside(dataset, "data.dataset") } }),
  };
}

/** Strategies of plug-ins take part without being named again. */
function pluginNames(
  { plugin = [] }: Partial<SearchOptions>,
  { strategies }: Awaited<ReturnType<typeof registryWith>>,
) {
  return plugin.length === 0 ? [] : [...strategies.keys()].slice(-plugin.length);
}

function isGiven(values: object): boolean {
  return Object.values(values).some((value) => value !== undefined);
}

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Forgets an earlier search if that is asked for; with `--resume` there must be one. */
async function prepare(
  out: string,
  { fresh = false, resume = false }: Partial<SearchOptions>,
): Promise<void> {
  const kept = join(out, "search.jsonl");
  const there = (await stat(kept).catch(() => undefined)) !== undefined;
  if (resume && fresh) throw new EspalierError("give either --resume or --fresh, not both.");
  if (resume && !there) throw new EspalierError(`${out}: there is no search to continue. Drop --resume.`);
  if (!fresh || !there) return;
  const release = await takeLock(join(out, "search.lock"), out);
  try {
    await rm(kept);
    for (const folder of ["models", "unfinished"])
      await rm(join(out, folder), { recursive: true, force: true });
  } finally {
    await release();
  }
}

interface Finish {
  readonly out: string;
  /** The folder as the user gave it. */
  readonly shown: string;
  readonly json: boolean;
  readonly asked: SearchFile;
  readonly context: Context;
}

/** Writes the chosen model, its recipe and the page, and prints the table. Throws a one-line error if the goal is unmet. */
async function finish(result: SearchResult, { out, shown, json, asked, context }: Finish): Promise<void> {
  const { chosen, unmet, ended, candidates } = result;
  const { searchDocument, writeDocument } = await import("@espalier/report");
  const document = searchDocument(result, `Search: ${result.header.model.name}`);
  await writeDocument(document, { out: join(out, "report"), force: true });
  const html = join(shown, "report", "report.html");
  const files = { model: join(shown, "chosen.safetensors"), recipe: join(shown, "chosen.yaml") };
  if (chosen !== undefined) {
    await saveModel(join(out, "chosen.safetensors"), chosen.model, { force: true });
    await writeFileAtomically(join(out, "chosen.yaml"), recipeText(chosen.recipe, asked), { force: true });
  }
  if (json) context.print([JSON.stringify(searchJson(result, { ...files, report: html }), null, 2)]);
  else
    context.print([
      ...searchLines(result, context.colors),
      ...(chosen ? ["", `${files.model}  ${files.recipe}`] : []),
      html,
    ]);
  if (ended === "aborted")
    throw new EspalierError(
      `stopped after ${plural(candidates.length, "candidate")}. Repeat the command to continue.`,
    );
  if (unmet !== undefined) throw new EspalierError(`${unmet.why}. Allow more, or give a larger budget.`);
}

/** The chosen recipe as a file, with what is needed to run it on the same data. */
function recipeText(recipe: Recipe, { data }: SearchFile): string {
  const { dataset, ...how } = data ?? {};
  // A path depends on where the recipe is; the model remembers which data it was trained on.
  const kept = dataset !== undefined && extname(dataset) !== ".csv" ? { dataset, ...how } : how;
  return formatRecipe({ ...recipe, ...(Object.keys(kept).length > 0 && { data: kept }) });
}
