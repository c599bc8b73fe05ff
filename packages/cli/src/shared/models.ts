import { EspalierError, type Model } from "@espalier/core";
import { loadModel, readTensors } from "@espalier/formats/node";
import { type DrawnFor, drawModel, type Registry } from "@espalier/recipe";
import type { Context } from "../context.ts";
import type { ModelOptions } from "../options/groups.ts";
import { readSettings, settingsOf } from "../options/settings.ts";

/** The data that a new model is drawn for, and the seed of its weights. */
export interface NewModel {
  readonly data?: DrawnFor | undefined;
  readonly seed?: number | undefined;
}

/**
 * The model that `--model`, `--from` and related options name: a new one with random or given weights, or one from a
 * file.
 */
export async function chosenModel(
  options: ModelOptions,
  registry: Registry,
  context: Context,
  { data, seed = 0 }: NewModel = {},
): Promise<Model> {
  const { model: name, from } = options;
  if (name === undefined) {
    if (from === undefined) throw new EspalierError("give --model NAME, or --from FILE.");
    refuseDrawing(options);
    return loadModel(context.path(from));
  }
  const { inputLength, horizon } = options;
  const settings = {
    ...(options.options === undefined ? {} : await readSettings(context.path(options.options))),
    ...(inputLength === undefined ? {} : { inputLength }),
    ...(horizon === undefined ? {} : { horizon }),
    ...settingsOf(options.set),
  };
  const architecture = drawModel(registry, { ...settings, use: name }, data);
  if (from === undefined) return architecture.initialize(seed);
  return architecture.load(await readTensors(context.path(from)));
}

/** A model file is already drawn: options that would have no effect are errors. */
function refuseDrawing({ inputLength, horizon, options, set }: ModelOptions): void {
  const given = { "--input-length": inputLength, "--horizon": horizon, "--options": options, "--set": set };
  const strange = Object.entries(given).find(([, value]) => value !== undefined);
  if (strange === undefined) return;
  throw new EspalierError(
    `${strange[0]} only applies to a new model. Give --model as well, or drop it (--from names a model file).`,
  );
}
