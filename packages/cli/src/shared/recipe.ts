import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { EspalierError } from "@espalier/core";
import { isDataFile } from "@espalier/datasets/node";
import { readBytes } from "@espalier/formats/node";
import { formatRecipe, type Registry, readRecipe, type Shorthand } from "@espalier/recipe";
import { besideRecipe } from "@espalier/recipe/node";
import type { Context } from "../context.ts";
import { fitSettings } from "../options/groups.ts";
import type { PruneJob } from "./prune-job.ts";
import { chosenStrategies, chosenTarget } from "./strategies.ts";

/** A recipe from a file, its paths made those of files beside it. */
export async function loadRecipe(file: string, registry: Registry, context: Context): Promise<Shorthand> {
  const path = context.path(file);
  const text = new TextDecoder().decode(await readBytes(path, "recipe"));
  const { shorthand: recipe, place } = readRecipe(text, `recipe ${file}`, registry);
  if (recipe === undefined) throw new EspalierError(`recipe ${file}: recipes of steps are not run here yet.`);
  const folder = dirname(resolve(path));
  const { model, data } = recipe;
  const found: { -readonly [K in keyof Shorthand]: Shorthand[K] } = { ...recipe };
  if (typeof model === "string") found.model = await besideRecipe(folder, model, place("model"));
  else if (model?.weights !== undefined)
    found.model = { ...model, weights: await besideRecipe(folder, model.weights, place("model", "weights")) };
  if (data?.dataset !== undefined && isDataFile(data.dataset))
    found.data = { ...data, dataset: await besideRecipe(folder, data.dataset, place("data", "dataset")) };
  return found;
}

/** What a command did, as a recipe in a folder: files that are not in it have to be named on the command line. */
export function recipeText(
  job: PruneJob,
  {
    file,
    folder,
    registry,
    context,
  }: {
    readonly file: string | undefined;
    readonly folder: string;
    readonly registry: Registry;
    readonly context: Context;
  },
): string {
  const beside = (path: string) => pathBeside(folder, context.path(path));
  const { stages, together } = chosenStrategies(job, registry);
  const { fineTune, tuning, distill, training, seed, acceptNearest, steps, curve, tune, source } = job;
  const { gradually, reconstruction } = job;
  const { seed: _one, ...settings } = { ...tuning, ...fitSettings(job, fineTune) };
  const model = file ?? source;
  const target = chosenTarget(job);
  const latency = defined({ backend: job.latencyBackend, batch: job.batch, time: job.latencyTime });
  const recipe = defined({
    model: typeof model === "string" ? beside(model) : model && withoutPath(model, beside),
    training: typeof model === "object" ? training : undefined,
    data: dataOf(job, beside),
    strategies: stages,
    combined: together,
    target,
    acceptNearest,
    latency,
    schedule: defined({ steps, curve, tune, gradual: gradually }),
    reconstruction,
    fineTuning: fineTune === undefined ? undefined : defined({ ...settings, distill }),
    backend: job.backend,
    seed,
  });
  return formatRecipe(recipe as unknown as Shorthand);
}

function dataOf(job: PruneJob, beside: (path: string) => string | undefined): object | undefined {
  const { series, scale, splits, missing, dateColumn, delimiter, decimal } = job;
  const dataset = job.dataset !== undefined && isDataFile(job.dataset) ? beside(job.dataset) : job.dataset;
  return defined({ dataset, series, scale, splits, missing, dateColumn, delimiter, decimal });
}

function withoutPath(
  model: Exclude<PruneJob["source"], string | undefined>,
  beside: (path: string) => string | undefined,
): object {
  const { weights, ...drawn } = model;
  return { ...drawn, ...(weights === undefined ? {} : defined({ weights: beside(weights) })) };
}

/** A path as it is from a folder; undefined where it leads out of it. */
function pathBeside(folder: string, path: string): string | undefined {
  const way = relative(resolve(folder), resolve(path));
  return way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way) ? undefined : way.split(sep).join("/");
}

/** Without what is not said; undefined where nothing is left. */
function defined(values: object): object | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
