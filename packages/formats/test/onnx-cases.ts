import { readFileSync } from "node:fs";
import { float32, type Model, type TensorData } from "@espalier/core";
import { loadOnnx } from "@espalier/formats/node";

/** ONNX files made by PyTorch, with what PyTorch computes; see onnx/make.py. */
export interface ExportCase {
  readonly files: readonly string[];
  /** Three samples. */
  readonly inputs: Readonly<Record<string, StoredTensor>>;
  readonly output: StoredTensor;
  /** Names and shapes of PyTorch's parameters. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
}

interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const folder = new URL("./onnx/", import.meta.url).pathname;

export const cases: Readonly<Record<string, ExportCase>> = JSON.parse(
  readFileSync(`${folder}cases.json`, "utf8"),
).cases;

/** Every file of every case, by its name. */
export const files: readonly (readonly [string, ExportCase])[] = Object.values(cases).flatMap((one) =>
  one.files.map((file) => [file, one] as const),
);

/** A file as a model; those with a fixed batch as if it were open, unless told otherwise. */
export function load(file: string, openBatch = true): Promise<Model> {
  return loadOnnx(`${folder}${file}`, { openBatch });
}

/** The first samples of what a case holds. */
export function samples(stored: StoredTensor, count: number): TensorData {
  const size = stored.data.length / stored.shape[0]!;
  return float32([count, ...stored.shape.slice(1)], stored.data.slice(0, count * size));
}

export function inputsOf(one: ExportCase, count: number): Map<string, TensorData> {
  return new Map(Object.entries(one.inputs).map(([name, stored]) => [name, samples(stored, count)]));
}
