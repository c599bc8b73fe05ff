import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { EspalierError, type Model } from "@espalier/core";
import { roundWeights, type StoredWeights } from "@espalier/formats";
import {
  checkFolderReplaceable,
  checkReplaceable,
  loadModel,
  type OnProgress,
  saveModel,
  saveOnnx,
  saveTfjs,
  saveTflite,
} from "@espalier/formats/node";
import { createRegistry } from "@espalier/recipe/standard";
import { forecastingDataFor } from "@espalier/training";
import type { ExportOptions } from "../commands/export.ts";
import type { Context } from "../context.ts";
import { required } from "../options/groups.ts";
import { type ExportedReport, exportedJson, exportedLines } from "../output/exported.ts";
import { type Bar, openBar, stage } from "../output/progress.ts";
import { expectApart } from "../shared/apart.ts";
import { openBackend } from "../shared/backend.ts";
import { loadSourceFor } from "../shared/data.ts";
import { measureRounding, type Rounding } from "../shared/rounding.ts";

/** `espalier export`. */
export async function exportModel(file: string, options: ExportOptions, context: Context): Promise<void> {
  const out = required(options.out, "--out PATH for the file or folder to write");
  const to = required(
    options.to,
    "--to onnx, --to tfjs, --to tflite or --to safetensors",
  ) as ExportedReport["to"];
  const mistake = mistakeIn(to, options);
  if (mistake !== undefined) throw new EspalierError(mistake);
  await expectApart({ "--out": out }, { "the model file": file }, context);
  const path = context.path(out);
  if (to === "tfjs") await checkFolder(path, out, options.force);
  else await checkReplaceable(path, options.force);
  const bar = await openBar(context);
  try {
    const model = await loadModel(context.path(file), { onProgress: stage(bar, "reading", 0) });
    const weights = roundedTo(options);
    const rounding =
      weights === undefined ? undefined : await roundingOf(model, weights, options, context, bar);
    await write[to](path, model, options, stage(bar, "writing", 0.5));
    bar.stop();
    const fileBytes = (await stat(context.path(file))).size;
    const report: ExportedReport = {
      model,
      to,
      out,
      rounding,
      fileBytes,
      bytes: await bytesAt(path),
      packed: options.store !== undefined,
    };
    if (options.json) context.print([JSON.stringify(exportedJson(report), null, 2)]);
    else context.print(exportedLines(report, context.colors));
  } finally {
    bar.stop();
  }
}

const write = {
  onnx: (
    path: string,
    model: Model,
    { weights, opset, force = false }: ExportOptions,
    onProgress: OnProgress,
  ) =>
    saveOnnx(path, model, {
      force,
      onProgress,
      ...(weights === undefined ? {} : { weights }),
      ...(opset === undefined ? {} : { opset }),
    }),
  tflite: (path: string, model: Model, { batch, force = false }: ExportOptions, onProgress: OnProgress) =>
    saveTflite(path, model, { force, onProgress, ...(batch === undefined ? {} : { batch }) }),
  tfjs: (path: string, model: Model, { force = false }: ExportOptions, onProgress: OnProgress) =>
    saveTfjs(path, model, { force, onProgress }),
  safetensors: (
    path: string,
    model: Model,
    { store, force = false }: ExportOptions,
    onProgress: OnProgress,
  ) =>
    store === undefined
      ? saveModel(path, model, { force, compact: false, onProgress })
      : saveModel(path, roundWeights(model, store), { force, onProgress }),
};

/** The form that weights are rounded to, if they are. */
function roundedTo({ weights, store }: ExportOptions): StoredWeights | undefined {
  return weights === "float16" ? weights : store;
}

function mistakeIn(to: ExportedReport["to"], options: ExportOptions): string | undefined {
  const { weights, store, opset, batch, dataset } = options;
  const given = [
    { name: "--weights", value: weights, format: "onnx" },
    { name: "--opset", value: opset, format: "onnx" },
    { name: "--store", value: store, format: "safetensors" },
    { name: "--batch", value: batch, format: "tflite" },
  ];
  const idle = given.find(({ value, format }) => value !== undefined && format !== to);
  if (idle !== undefined) return `${idle.name} only applies with --to ${idle.format}.`;
  if (dataset !== undefined && roundedTo(options) === undefined)
    return "--dataset only applies with --weights float16 or --store: it measures the effect of rounding.";
  return undefined;
}

/** --force replaces a whole folder, so the folder may only hold files that an export can have written. */
async function checkFolder(path: string, out: string, force?: boolean): Promise<void> {
  const inside = await readdir(path).catch((): string[] => []);
  if (inside.length > 0 && !inside.includes("model.json")) {
    throw new EspalierError(`${out} is a folder that holds other files. Name a new folder.`);
  }
  await checkFolderReplaceable(path, force);
}

async function roundingOf(
  model: Model,
  weights: StoredWeights,
  options: ExportOptions,
  context: Context,
  bar: Bar,
): Promise<Rounding> {
  const backend = await openBackend(createRegistry(), options);
  const data = async () => {
    const source = await loadSourceFor(model, options, context, bar);
    return forecastingDataFor(model, source, { splits: options.splits });
  };
  const named = options.dataset !== undefined;
  return measureRounding({ model, weights, backend, data, named }, context, bar);
}

/** Size of a file, or of all files in a folder. */
async function bytesAt(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isDirectory()) return found.size;
  const inside = await Promise.all((await readdir(path)).map((name) => bytesAt(join(path, name))));
  return inside.reduce((sum, size) => sum + size, 0);
}
