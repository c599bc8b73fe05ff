import type { Model, Tensors } from "@espalier/core";
import { readCheckpoint } from "../checkpoint.ts";
import { decodeModel } from "../model/decode.ts";
import { type EncodeOptions, encodeModel } from "../model/model-file.ts";
import { type OnnxOptions, writeOnnx } from "../onnx/write.ts";
import { type TfjsOptions, writeTfjs } from "../tfjs/graph-model.ts";
import { type TfliteOptions, writeTflite } from "../tflite/write.ts";
import { type ProgressOptions, readBytes, writeFileAtomically } from "./files.ts";
import { writeFolderAtomically } from "./folder.ts";

export { type Example, loadExample, testDataBeside } from "./examples.ts";
export {
  checkReplaceable,
  makeFolder,
  type OnProgress,
  type ProgressOptions,
  readBytes,
  tryWriting,
  UnwritableError,
  writeFileAtomically,
  writing,
} from "./files.ts";
export { checkFolderReplaceable, type WriteFolderOptions, writeFolderAtomically } from "./folder.ts";
export { takeLock } from "./lock.ts";
export { type LoadOnnxOptions, loadOnnx } from "./onnx.ts";

/** Reads a model file. Throws an EspalierError if it is missing or invalid. */
export async function loadModel(path: string, options: ProgressOptions = {}): Promise<Model> {
  return decodeModel(await readBytes(path, "model file", options), `model file ${path}`);
}

/** Options of saving a file. */
interface WriteOptions extends ProgressOptions {
  /** Replace an existing file. */
  readonly force?: boolean;
}

/** Options of saving a model. */
export interface SaveOptions extends EncodeOptions, WriteOptions {}

/** Writes a model as one self-describing safetensors file, whole or not at all. */
export async function saveModel(path: string, model: Model, options: SaveOptions = {}): Promise<void> {
  await writeFileAtomically(path, encodeModel(model, options), options);
}

/** Options of saving an ONNX file. */
export type SaveOnnxOptions = OnnxOptions & WriteOptions;

/** Writes a model as an ONNX file, whole or not at all. */
export async function saveOnnx(
  path: string,
  model: Model,
  { force = false, onProgress, ...options }: SaveOnnxOptions = {},
): Promise<void> {
  await writeFileAtomically(path, writeOnnx(model, options), {
    force,
    ...(onProgress && { onProgress }),
  });
}

/** Options of saving a LiteRT file. */
export type SaveTfliteOptions = TfliteOptions & WriteOptions;

/** Writes a model as a `.tflite` file, whole or not at all. */
export async function saveTflite(
  path: string,
  model: Model,
  { force = false, onProgress, ...options }: SaveTfliteOptions = {},
): Promise<void> {
  await writeFileAtomically(path, writeTflite(model, options), {
    force,
    ...(onProgress && { onProgress }),
  });
}

/** Reads the tensors of a checkpoint: safetensors, or a state dict that PyTorch saved (`.pth`, `.pt`). */
export async function readTensors(path: string): Promise<Tensors> {
  return readCheckpoint(await readBytes(path, "checkpoint"), { name: `checkpoint ${path}` });
}

/** Options of saving a folder for TensorFlow.js. */
export interface SaveTfjsOptions extends TfjsOptions, WriteOptions {}

/** Writes a model as a folder that `tf.loadGraphModel` loads (`model.json` and weight files), whole or not at all. */
export async function saveTfjs(folder: string, model: Model, options: SaveTfjsOptions = {}): Promise<void> {
  await writeFolderAtomically(folder, writeTfjs(model, options), options);
}
