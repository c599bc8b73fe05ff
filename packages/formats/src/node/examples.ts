import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { EspalierError, type TensorData } from "@espalier/core";
import { type Graph, isBatch, printShape, resolveShape } from "@espalier/core/graph";
import { TensorProtoSchema } from "onnx-buf";
import { readJsonArrays } from "../arrays/json.ts";
import { readNpz } from "../arrays/npz.ts";
import { readTensor } from "../onnx/import/tensor-data.ts";
import { readBytes } from "./files.ts";

/** Inputs of a model, and outputs that are expected of them, by the model's names. */
export interface Example {
  /** The file, or the folder, it comes from. */
  readonly name: string;
  readonly inputs: ReadonlyMap<string, TensorData>;
  /** Those of the model's outputs that the file has. */
  readonly outputs: ReadonlyMap<string, TensorData>;
}

/** Folders beside an ONNX file in which ONNX's own tools keep test data: `test_data_set_0`, … */
export async function testDataBeside(file: string): Promise<string[]> {
  const folder = dirname(file);
  const inside = await readdir(folder).catch((): string[] => []);
  return inside
    .filter((name) => /^test_data_set_\d+$/.test(name))
    .sort((a, b) => Number(a.slice(14)) - Number(b.slice(14)))
    .map((name) => join(folder, name));
}

/**
 * Reads inputs and expected outputs for a graph: an `.npz` or `.json` file with arrays under the graph's names, or a
 * folder as ONNX's tools write it (`input_0.pb`, `output_0.pb`, …, in the graph's order). Throws an EspalierError for an
 * input that is not there, or has another shape.
 */
export async function loadExample(path: string, graph: Graph): Promise<Example> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() === true;
  const arrays = isFolder ? await readFolder(path, graph) : await readFile(path);
  const batches = new Set<number>();
  const pick = (ports: Graph["inputs"]) =>
    new Map(
      ports.flatMap(({ name, value }): [string, TensorData][] => {
        const found = arrays.get(name);
        if (found === undefined) return [];
        const { shape, dtype } = graph.values[value]!;
        const size = batchSizeIn(shape, found.shape);
        if (size !== undefined) batches.add(size);
        const resolved = resolveShape(shape, size ?? 1);
        if (resolved.join() !== found.shape.join()) {
          throw new EspalierError(
            `${path}: "${name}" has shape ${printShape(found.shape)}, the model's is ${printShape(shape)}.`,
          );
        }
        return [[name, inType(found, dtype)]];
      }),
    );
  const [inputs, outputs] = [pick(graph.inputs), pick(graph.outputs)];
  const missing = graph.inputs.find(({ name }) => !inputs.has(name));
  if (missing !== undefined) {
    throw new EspalierError(
      `${path}: it has no array "${missing.name}", which the model takes. It has ${[...arrays.keys()].slice(0, 10).join(", ") || "none"}.`,
    );
  }
  if (batches.size > 1)
    throw new EspalierError(
      `${path}: its arrays have ${[...batches].join(" and ")} samples; give equal numbers.`,
    );
  return { name: basename(path), inputs, outputs };
}

async function readFile(path: string): Promise<Map<string, TensorData>> {
  const where = `example ${path}`;
  const bytes = await readBytes(path, "example");
  // A zip archive begins with "PK".
  return bytes[0] === 0x50 && bytes[1] === 0x4b ? readNpz(bytes, where) : readJsonArrays(bytes, where);
}

async function readFolder(path: string, graph: Graph): Promise<Map<string, TensorData>> {
  const arrays = new Map<string, TensorData>();
  for (const file of (await readdir(path)).sort()) {
    const match = /^(input|output)_(\d+)\.pb$/.exec(file);
    if (match === null) continue;
    const where = join(path, file);
    const port = (match[1] === "input" ? graph.inputs : graph.outputs)[Number(match[2])];
    const tensor = parsed(await readBytes(where), where);
    const name = tensor.name || port?.name;
    if (name === undefined) continue;
    const { kind, shape, data } = readTensor(tensor);
    arrays.set(
      name,
      kind === "float"
        ? { dtype: "float32", shape, data: Float32Array.from(data) }
        : { dtype: "int32", shape, data: Int32Array.from(data) },
    );
  }
  return arrays;
}

function parsed(bytes: Uint8Array, where: string) {
  try {
    return fromBinary(TensorProtoSchema, bytes);
  } catch {
    throw new EspalierError(`${where}: it is not a tensor as ONNX stores it.`);
  }
}

/** The batch size that makes one shape of another; undefined if nothing depends on it. */
function batchSizeIn(drawn: Graph["values"][number]["shape"], found: readonly number[]): number | undefined {
  const axis = drawn.findIndex(isBatch);
  const extent = drawn[axis];
  if (extent === undefined || !isBatch(extent) || found[axis] === undefined) return undefined;
  return found[axis] / extent.batch;
}

function inType(array: TensorData, dtype: TensorData["dtype"]): TensorData {
  if (array.dtype === dtype) return array;
  const { shape, data } = array;
  return dtype === "int32"
    ? { dtype, shape, data: Int32Array.from(data) }
    : { dtype, shape, data: Float32Array.from(data) };
}
