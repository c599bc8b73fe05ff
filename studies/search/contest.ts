import { readdir, readFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { account, type Model } from "@espalier/core";
import { randomStream } from "@espalier/core/graph";
import type { ForecastingData } from "@espalier/datasets";
import { type Recipe, readRecipe, run, type Workbench } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import {
  type Goal,
  galleryAt,
  isFinished,
  memoryStore,
  modelName,
  randomPoint,
  type SettingsInput,
  search,
  standardSpace,
} from "@espalier/search";
import { evaluate } from "@espalier/training";
import { ownSizes } from "./own-sizes.ts";

const gallery = fileURLToPath(new URL("../../recipes", import.meta.url));

/** A pruned model; errors are mean squared errors. */
export interface Made {
  /** Share of the dense model's bytes as stored. */
  readonly bytes: number;
  readonly validation: number;
  readonly model: Model;
  /** The recipe's name, if it has one. */
  readonly label?: string;
}

/** Input of a contestant. */
export interface Contest {
  readonly model: Model;
  readonly data: ForecastingData;
  readonly workbench: Workbench;
  readonly goal: Goal;
  readonly settings: SettingsInput & { readonly epochs: number; readonly seed: number };
  /** Aborts once the processor time is spent. */
  readonly signal: AbortSignal;
}

/** Makes models until the signal aborts; one that is not finished by then does not count. */
export type Contestant = (contest: Contest) => Promise<Made[]>;

/** The search as `espalier search` runs it: every fine-tuning counts, short ones too. */
const bySearch: Contestant = async ({ signal, ...request }) => {
  const store = memoryStore();
  const { trials } = await search({ ...request, store, signal, evaluations: Number.MAX_SAFE_INTEGER });
  return Promise.all(
    trials.filter(isFinished).map(async (trial) => ({
      bytes: trial.result.bytes,
      validation: trial.result.validation.mse,
      model: (await store.model(modelName(trial)))!,
    })),
  );
};

/** Random search over the same space: every point is tuned fully. */
const atRandom: Contestant = (contest) => {
  const { model, goal, settings, workbench } = contest;
  const { batchesPerEpoch, epochs, seed } = settings;
  const space = standardSpace({ model, goal, registry: workbench.registry, batchesPerEpoch });
  const random = randomStream(seed, "random search");
  return made(contest, () => space.recipe(randomPoint(space, random), epochs));
};

/** The gallery's fixed recipes in turn, with the length and tuning they have there, at sizes from large to small. */
const byGallery: Contestant = (contest) => {
  const { batchesPerEpoch } = contest.settings;
  const kinds = galleryAt({ bytes: 1 }).length;
  return made(contest, (i) => {
    const { recipe } = galleryAt({ bytes: sizeOf(Math.floor(i / kinds)) })[i % kinds]!;
    if (batchesPerEpoch === undefined) return recipe;
    const steps = recipe.steps.map((step) =>
      "fit" in step ? { ...step, fit: { ...step.fit, batchesPerEpoch } } : step,
    );
    return { ...recipe, steps: steps as Recipe["steps"] };
  });
};

/** Every recipe of the gallery that prunes a model as given, as it is in its file and at its own size. */
const eachOfGallery: Contestant = async (contest) => {
  const registry = createRegistry();
  const files = (await readdir(gallery)).filter((file) => extname(file) === ".yaml");
  const recipes: { label: string; recipe: Recipe }[] = [];
  for (const file of files) {
    const { recipe } = readRecipe(await readFile(join(gallery, file), "utf8"), file, registry);
    if (recipe.model === undefined) recipes.push({ label: basename(file, ".yaml"), recipe });
  }
  const all: Made[] = [];
  for (const { label, recipe } of recipes) {
    const [one] = await made(contest, (i) => (i === 0 ? recipe : undefined));
    if (one !== undefined) all.push({ ...one, label });
  }
  return all;
};

export const contestants = {
  search: bySearch,
  "random search": atRandom,
  "gallery's recipes": byGallery,
  [ownSizes]: eachOfGallery,
} as const satisfies Record<string, Contestant>;
export type ContestantName = keyof typeof contestants;

/** Sizes between 0.3 and 0.003, each new one in the largest gap (van der Corput's sequence). */
function sizeOf(i: number): number {
  let [place, digit] = [0, 0.5];
  for (let n = i + 1; n > 0; n = Math.floor(n / 2), digit /= 2) place += (n % 2) * digit;
  return Number((0.3 * 0.01 ** place).toPrecision(3));
}

/** Runs recipes one after another, until there is none or the time is spent; those that cannot be carried out cost their time and make nothing. */
async function made(
  { model, data, workbench, settings, signal }: Contest,
  recipeOf: (i: number) => Recipe | undefined,
): Promise<Made[]> {
  const all: Made[] = [];
  for (let i = 0; ; i++) {
    const next = recipeOf(i);
    if (next === undefined) return all;
    const recipe = { ...next, seed: settings.seed };
    const one = await run({ recipe, model, workbench, signal }).catch((error: unknown) => {
      if (signal.aborted || (error as Error).name === "EspalierError") return undefined;
      throw error;
    });
    if (signal.aborted) return all;
    if (one === undefined) continue;
    const { bytes } = account(one.model);
    const backend = await workbench.backend(recipe.backend);
    const { mse } = await evaluate({ model: one.model, backend, windows: data.validation });
    all.push({ bytes: bytes.stored / model.dense.bytes.dense, validation: mse, model: one.model });
  }
}
