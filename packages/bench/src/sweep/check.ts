import { EspalierError } from "@espalier/core";
import { inferDimensions } from "@espalier/core/dimensions";
import type { LoadedDataset } from "@espalier/datasets";
import type { Registry } from "@espalier/recipe";
import { drawModel, drawnFor, expectKeeps, keepableNames, problemsIn } from "@espalier/recipe";
import { cellsOf, recipeOf, stableKey } from "./cells.ts";
import type { SweepConfig } from "./config.ts";

/**
 * Checks the names and options of a sweep before hours are spent on other cells. Throws an EspalierError that names the
 * place. `data` holds those of the configuration, in its order.
 */
export function checkSweep(config: SweepConfig, registry: Registry, data: readonly LoadedDataset[]): void {
  config.strategies.forEach((strategy, i) => {
    at(`strategies.${i}`, () => registry.strategy(strategy));
  });
  checkRecipes(config, registry);
  at("trainingBackend", () => registry.backend(config.trainingBackend));
  config.backends.forEach((backend, i) => {
    at(`backends.${i}`, () => registry.backend(backend));
  });
  const asked = config.targets.map((target) => stableKey(target));
  config.timedTargets?.forEach((target, i) => {
    if (!asked.includes(stableKey(target)))
      throw new EspalierError(`sweep, timedTargets.${i}: is not one of the targets.`);
  });
  const { inputLength, horizon } = config;
  // What a strategy keeps may be in one of the models only.
  const names = config.models.flatMap((model, i) =>
    data.flatMap(({ table }) =>
      at(`models.${i}`, () => {
        const { graph } = drawModel(registry, model, { inputLength, horizon, ...drawnFor(table) });
        return keepableNames({ graph, dimensions: inferDimensions(graph) });
      }),
    ),
  );
  config.strategies.forEach((strategy, i) => {
    at(`strategies.${i}`, () => expectKeeps(strategy, names));
  });
  config.recipes.forEach((recipe, i) => {
    at(`recipes.${i}`, () => expectKeeps(recipe, names));
  });
}

/** Every recipe, with each of its targets: for one dense model, as they are the same for all. */
function checkRecipes(config: SweepConfig, registry: Registry): void {
  const { datasets, models, seeds } = config;
  const once = { ...config, datasets: [datasets[0]], models: [models[0]], seeds: [seeds[0]] } as SweepConfig;
  for (const cell of cellsOf(once)) {
    if (cell.kind !== "prune") continue;
    const place = (path: readonly PropertyKey[]) =>
      "recipe" in cell
        ? `recipes.${config.recipes.indexOf(cell.recipe)}.${path.map(String).join(".")}`
        : `strategies, ${path.map(String).join(".")}`;
    const [problem] = problemsIn(recipeOf(cell), { registry });
    if (problem !== undefined) throw new EspalierError(`sweep, ${place(problem.path)}: ${problem.message}`);
  }
}

function at<T>(place: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof EspalierError) throw new EspalierError(`sweep, ${place}: ${error.message}`);
    throw error;
  }
}
