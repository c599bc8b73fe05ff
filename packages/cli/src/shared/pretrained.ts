import { stat } from "node:fs/promises";
import { join } from "node:path";
import { EspalierError, type Model, type Tensors } from "@espalier/core";
import { readCheckpoint } from "@espalier/formats";
import { type OnProgress, readBytes } from "@espalier/formats/node";
import { fromHuggingFaceConfig, type HuggingFaceModel, inferOptions } from "@espalier/models";
import { drawModel } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import type { Settings } from "../options/settings.ts";
import { located } from "./located.ts";

/** Configurations have some kilobytes. */
const largestConfig = 2 ** 20;

/** Names under which Hugging Face's `save_pretrained` writes weights, now and in earlier versions. */
const weightFiles = ["model.safetensors", "pytorch_model.bin"];

/** Whether a path is a folder, such as `save_pretrained` writes. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/**
 * Reads a model that Hugging Face's `save_pretrained` wrote: `config.json` and the weights beside it. `folder` is its name
 * in messages, `path` where it lies. Throws an EspalierError that names the file, and the setting that is not supported.
 */
export async function readPretrained(
  folder: string,
  path: string,
  onProgress: OnProgress,
): Promise<{ readonly model: Model; readonly configured: Settings }> {
  const config = join(folder, "config.json");
  const described = fromHuggingFaceConfig(await readConfig(config, join(path, "config.json")), config);
  const file = await weightsIn(folder, path);
  const weights = join(folder, file);
  const bytes = await readBytes(join(path, file), "weights", { onProgress });
  const tensors = await readCheckpoint(bytes, { name: weights });
  expectSame(described, tensors, { config, weights });
  const { model, options } = described;
  const drawn = drawModel(createRegistry(), { ...options, use: model });
  // Dropout only matters in training.
  const { dropout: _, ...configured } = options;
  return { model: located(weights, () => drawn.load(tensors)), configured };
}

async function readConfig(name: string, path: string): Promise<unknown> {
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined) {
    throw new EspalierError(
      `${name}: no such file. A folder is read as Hugging Face's save_pretrained writes it: config.json and ${weightFiles[0]}.`,
    );
  }
  if (size > largestConfig)
    throw new EspalierError(`${name}: ${size} bytes are too many for a configuration.`);
  try {
    return JSON.parse(new TextDecoder().decode(await readBytes(path, "configuration")));
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    throw new EspalierError(`${name}: not valid JSON.`);
  }
}

async function weightsIn(folder: string, path: string): Promise<string> {
  for (const name of weightFiles) if (await exists(join(path, name))) return name;
  for (const name of weightFiles) {
    const index = `${name}.index.json`;
    if (await exists(join(path, index))) {
      throw new EspalierError(
        `${join(folder, index)}: weights in several files are not supported. Save them again with a larger max_shard_size.`,
      );
    }
  }
  throw new EspalierError(`${folder}: no weights beside config.json: expected ${weightFiles.join(" or ")}.`);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Configurations are edited: what shapes show is compared before anything is drawn by them. */
function expectSame(
  { model, options, keys }: HuggingFaceModel,
  tensors: Tensors,
  files: { readonly config: string; readonly weights: string },
): void {
  const seen: Settings = located(files.weights, () => inferOptions(model, tensors)).seen;
  const wrong = Object.keys(seen).find((option) => seen[option] !== options[option]);
  if (wrong === undefined) return;
  throw new EspalierError(
    `${files.config}, ${keys[wrong]}: does not fit the weights beside it, whose shapes show ${wrong} ${seen[wrong]} instead of ${options[wrong]}.`,
  );
}
