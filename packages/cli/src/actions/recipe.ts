import { basename } from "node:path";
import { EspalierError, planFromJson } from "@espalier/core";
import { inferDimensions } from "@espalier/core/dimensions";
import { unknownName } from "@espalier/core/documents";
import { catalogue } from "@espalier/datasets";
import { isDataFile } from "@espalier/datasets/node";
import { loadModel, readBytes, readTensors } from "@espalier/formats/node";
import {
  drawingOf,
  drawModel,
  drawnFor,
  idleKeeps,
  keepableNames,
  type Registry,
  recipeJsonSchema,
} from "@espalier/recipe";
import { stepTexts } from "@espalier/report/text";
import type { RecipeOptions } from "../commands/recipe.ts";
import type { Context } from "../context.ts";
import type { TrainingDataOptions } from "../options/groups.ts";
import { type Bar, openBar } from "../output/progress.ts";
import { loadSource } from "../shared/data.ts";
import { registryWith } from "../shared/plugins.ts";
import { type LoadedRecipe, loadRecipe } from "../shared/recipe.ts";

/** `espalier recipe`. */
export async function recipe(
  file: string | undefined,
  options: RecipeOptions,
  context: Context,
): Promise<void> {
  const registry = await registryWith(options.plugin, context);
  if (options.schema) {
    if (file !== undefined) throw new EspalierError("--schema describes every recipe: drop the file.");
    context.print([JSON.stringify(recipeJsonSchema(registry), null, 2)]);
    return;
  }
  if (file === undefined) throw new EspalierError("give a recipe file, or --schema.");
  const read = await loadRecipe(file, registry, context);
  const bar = await openBar(context);
  try {
    await checkSeen(read, registry, context, bar);
  } finally {
    bar.stop();
  }
  if (options.json) context.print([JSON.stringify(read.recipe, null, 2)]);
  else context.print([`${context.colors.green(file)} is valid`, ...said(read).map((line) => `  ${line}`)]);
}

/** Checks that need the files: that they exist, can be read, and contain the names used in the recipe. */
async function checkSeen(
  { recipe, place }: LoadedRecipe,
  registry: Registry,
  context: Context,
  bar: Bar,
): Promise<void> {
  const { model, data, steps } = recipe;
  const at = async <T>(path: readonly PropertyKey[], look: () => T | Promise<T>): Promise<T> => {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error;
      throw new EspalierError(`${place(...path)}: ${error.message}`);
    }
  };
  const { dataset } = data ?? {};
  const source =
    dataset === undefined
      ? undefined
      : await at(["data", "dataset"], () => seenData(dataset, data as TrainingDataOptions, context, bar));
  for (const [i, step] of steps.entries()) {
    if (step.do !== "apply" || typeof step.plan !== "string") continue;
    const { plan } = step;
    await at(["steps", i, "plan"], async () =>
      planFromJson(new TextDecoder().decode(await readBytes(plan, "plan")), `plan ${basename(plan)}`),
    );
  }
  if (model === undefined) return;
  const names = await at(["model"], async () => {
    if (typeof model === "string") return keepableNames(await loadModel(context.path(model)));
    const { graph } = drawModel(registry, drawingOf(model), source && drawnFor(source.table));
    if (model.weights !== undefined) await readTensors(model.weights);
    return keepableNames({ graph, dimensions: inferDimensions(graph) });
  });
  const [problem] = idleKeeps(recipe, names);
  if (problem !== undefined) await at(problem.path, () => Promise.reject(new EspalierError(problem.message)));
}

/** A CSV file is read as a run would; of other data sets, which may not be here yet, the name is looked at. */
async function seenData(dataset: string, data: TrainingDataOptions, context: Context, bar: Bar) {
  if (isDataFile(dataset)) return loadSource(dataset, data, context, bar);
  const known = ["synthetic", ...catalogue.map(({ name }) => name)];
  if (!known.includes(dataset)) throw unknownName("data set", dataset, known);
  return undefined;
}

function said({ recipe }: LoadedRecipe): string[] {
  const { model, data, steps } = recipe;
  const drawn = typeof model === "object" ? `a new ${model.use}` : model && basename(model);
  const width = `${steps.length}`.length;
  return [
    `model: ${drawn ?? "from the command line"}`,
    ...(data?.dataset === undefined ? [] : [`data: ${basename(data.dataset)}`]),
    ...stepTexts(recipe).map((text, i) => `${`${i + 1}`.padStart(width)}  ${text}`),
  ];
}
