import { extname } from "node:path";
import { EspalierError, type Model, type Tensors } from "@espalier/core";
import { readCheckpoint, readSafetensors } from "@espalier/formats";
import {
  checkReplaceable,
  loadOnnx,
  type OnProgress,
  readBytes,
  saveModel,
  testDataBeside,
} from "@espalier/formats/node";
import { findModel, inferOptions } from "@espalier/models";
import { drawModel } from "@espalier/recipe";
import { createRegistry } from "@espalier/recipe/standard";
import type { ImportOptions } from "../commands/import.ts";
import type { Context } from "../context.ts";
import { required } from "../options/groups.ts";
import { type Settings, settingsOf } from "../options/settings.ts";
import { type ImportedReport, importedJson, importedLines } from "../output/imported.ts";
import { openBar, stage } from "../output/progress.ts";
import { expectApart } from "../shared/apart.ts";
import { openBackend } from "../shared/backend.ts";
import { located } from "../shared/located.ts";
import { type Parity, parityOf } from "../shared/parity.ts";
import { isFolder, readPretrained } from "../shared/pretrained.ts";

/** `espalier import`. */
export async function importModel(file: string, options: ImportOptions, context: Context): Promise<void> {
  const out = required(options.out, "--out FILE for the model");
  const kind = await kindOf(context.path(file));
  refuseStrange(kind, options);
  const { force = false } = options;
  await expectApart({ "--out": out }, { "the file to import": file }, context);
  await checkReplaceable(context.path(out), force);
  const bar = await openBar(context);
  try {
    const reading = stage(bar, "reading", 0);
    const imported = await readers[kind](file, options, context, reading);
    const parity = await compared(imported.model, file, options, context);
    await saveModel(context.path(out), imported.model, { force, onProgress: stage(bar, "writing", 0.5) });
    bar.stop();
    const report: ImportedReport = { ...imported, file, out, ...(parity && { parity }) };
    if (options.json) context.print([JSON.stringify(importedJson(report), null, 2)]);
    else context.print(importedLines(report, context.colors));
  } finally {
    bar.stop();
  }
}

/** The model's outputs beside expected ones: those given, or those that lie beside an ONNX file. */
async function compared(
  model: Model,
  file: string,
  { check = true }: ImportOptions,
  context: Context,
): Promise<readonly Parity[] | undefined> {
  if (check === false) return undefined;
  const paths = typeof check === "string" ? [context.path(check)] : await testDataBeside(context.path(file));
  if (paths.length === 0) return [];
  const backend = await openBackend(createRegistry(), { backend: "wasm" });
  const parity: Parity[] = [];
  for (const path of paths) parity.push(await parityOf(model, path, backend));
  return parity;
}

type Kind = "onnx" | "weights" | "folder";
type Imported = Omit<ImportedReport, "file" | "out" | "parity">;
type Reader = (
  file: string,
  options: ImportOptions,
  context: Context,
  onProgress: OnProgress,
) => Promise<Imported>;

const readers: Readonly<Record<Kind, Reader>> = {
  onnx: importOnnx,
  weights: importWeights,
  folder: (folder, _options, context, onProgress) => readPretrained(folder, context.path(folder), onProgress),
};

async function kindOf(path: string): Promise<Kind> {
  if (await isFolder(path)) return "folder";
  return extname(path).toLowerCase() === ".onnx" ? "onnx" : "weights";
}

function refuseStrange(kind: Kind, options: ImportOptions): void {
  const { model, set, openBatch, axis, trainable, buffers } = options;
  const ofWeights = { "--model": model, "--set": set };
  const ofOnnx = {
    "--open-batch": openBatch,
    "--axis": axis,
    "--trainable": trainable,
    "--buffers": buffers,
  };
  const given = (group: Readonly<Record<string, unknown>>) =>
    Object.entries(group).find(([, value]) => value !== undefined)?.[0];
  const forWeights = kind === "weights" ? undefined : given(ofWeights);
  if (forWeights !== undefined) {
    throw new EspalierError(
      kind === "onnx"
        ? `${forWeights} only applies to weights: an ONNX file already says what it computes. Drop it.`
        : `${forWeights} does not apply to a folder: its config.json says which model it is. Drop it.`,
    );
  }
  const forOnnx = kind === "onnx" ? undefined : given(ofOnnx);
  if (forOnnx !== undefined)
    throw new EspalierError(`${forOnnx} only applies to ONNX files (.onnx). Drop it.`);
}

async function importOnnx(
  file: string,
  { openBatch = false, axis, trainable = [], buffers = [] }: ImportOptions,
  context: Context,
  onProgress: OnProgress,
): Promise<Imported> {
  const axes = settingsOf(axis) as Record<string, number>;
  return { model: await loadOnnx(context.path(file), { openBatch, axes, trainable, buffers, onProgress }) };
}

/** Builds a model of the named architecture, and lists the options that the shapes gave and those that they did not. */
async function importWeights(
  file: string,
  options: ImportOptions,
  context: Context,
  onProgress: OnProgress,
): Promise<Imported> {
  const tensors = await readWeights(file, context, onProgress);
  if (options.model === undefined) {
    throw new EspalierError(
      `${file}: weights do not say which model they belong to. Give --model NAME, such as --model PatchTST.`,
    );
  }
  const { name } = findModel(options.model).definition;
  const given = settingsOf(options.set);
  const { seen, needed } = located(file, () => inferOptions(name, tensors));
  const missing = needed.filter((option) => !Object.hasOwn(given, option));
  if (missing.length > 0) {
    const asked = missing.map((option) => `--set ${option}=…`).join(" ");
    throw new EspalierError(`${file}: the shapes of ${name}'s weights leave options open. Give ${asked}`);
  }
  const model = drawModel(createRegistry(), { ...seen, ...given, use: name }).load(tensors);
  return { model, seen, given, assumed: assumedOf(model, { ...seen, ...given }) };
}

/** Options that were neither seen nor given, at the architecture's defaults. Dropout only matters in training. */
function assumedOf({ options }: Model, known: Settings): Settings {
  return Object.fromEntries(
    Object.entries(options as Settings).filter(
      ([option]) => option !== "dropout" && !Object.hasOwn(known, option),
    ),
  );
}

async function readWeights(file: string, context: Context, onProgress: OnProgress): Promise<Tensors> {
  const path = context.path(file);
  const bytes = await readBytes(path, "checkpoint", { onProgress });
  const name = `checkpoint ${file}`;
  // A safetensors file begins with the length of a header in JSON.
  if (bytes[8] === 0x7b && readSafetensors(bytes, { name }).metadata.format === "espalier") {
    throw new EspalierError(
      `${file} is already an Espalier model: there is nothing to import. See espalier inspect ${file}.`,
    );
  }
  return readCheckpoint(bytes, { name });
}
