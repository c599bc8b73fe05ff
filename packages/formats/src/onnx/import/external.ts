import { EspalierError } from "@espalier/core";
import {
  type GraphProto,
  TensorProto_DataLocation as Location,
  type ModelProto,
  type TensorProto,
} from "onnx-buf";
import { locate } from "./errors.ts";
import { bytesOf } from "./tensor-data.ts";
import { shown } from "./text.ts";

/** Location of a tensor's data outside the model's own file. */
export interface ExternalRange {
  readonly tensor: TensorProto;
  /** A file next to the model, or in a subfolder: checked not to lead outside. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** Every tensor of a file with external data. Throws an EspalierError for a location outside the model's folder. */
export function externalRanges(model: ModelProto): ExternalRange[] {
  return [...tensorsOf(model)].flatMap((tensor) =>
    tensor.dataLocation === Location.EXTERNAL ? [rangeOf(tensor)] : [],
  );
}

function rangeOf(tensor: TensorProto): ExternalRange {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  const where = `tensor ${shown(tensor.name)}`;
  if (!isInside(location)) {
    throw new EspalierError(
      `${where}: its data would be in ${shown(location)}, outside the model's folder, so it is not read.`,
    );
  }
  const count = (key: string) => {
    const text = entries.get(key);
    if (text === undefined || text === "") return undefined;
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
      throw new EspalierError(
        `${where}: its ${key} ${shown(text)} in ${shown(location)} is not a number of bytes.`,
      );
    return value;
  };
  const needed = locate(
    () => where,
    () => bytesOf(tensor),
  );
  const length = count("length") ?? needed;
  if (length !== needed)
    throw new EspalierError(
      `${where}: its shape needs ${needed} bytes, but ${length} in ${shown(location)} are given.`,
    );
  return { tensor, location, offset: count("offset") ?? 0, length };
}

/** Whether a location is a relative path that does not lead upwards, on any system. */
function isInside(location: string): boolean {
  const parts = location.split(/[\\/]/);
  return (
    location !== "" &&
    !/[\p{C}:]/u.test(location) &&
    !/^[\\/~]/.test(location) &&
    parts.every((part, i) => part !== ".." && (part !== "" || i > 0))
  );
}

/** Bytes that tensors may claim of a file of some size: several may share their numbers, but a few bytes are no large model. */
const claimable = (fileBytes: number) => 64 * 1024 + 4 * fileBytes;

/** Counts what tensors claim of the files that hold their numbers. */
export class Claims {
  readonly #claimed = new Map<string, number>();

  /** Throws an EspalierError for a range that a file does not have, or if tensors claim it again and again. */
  add({ tensor, location, offset, length }: ExternalRange, fileBytes: number): void {
    const where = `tensor ${shown(tensor.name)}: ${shown(location)}`;
    if (offset + length > fileBytes)
      throw new EspalierError(
        `${where} has ${fileBytes} bytes, but ${length} from ${offset} on were expected.`,
      );
    const claimed = (this.#claimed.get(location) ?? 0) + length;
    if (claimed > claimable(fileBytes))
      throw new EspalierError(
        `${where} has ${fileBytes} bytes, but tensors up to this one need ${claimed} of it: more than 4 times as many.`,
      );
    this.#claimed.set(location, claimed);
  }
}

/** Stores external data in its tensor, as if the file had held it. */
export function attach({ tensor }: ExternalRange, bytes: Uint8Array): void {
  tensor.rawData = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  tensor.dataLocation = Location.DEFAULT;
}

/** Initialisers and constants, including those of branches and functions. */
function* tensorsOf(model: ModelProto): Generator<TensorProto> {
  if (model.graph !== undefined) yield* tensorsOfGraph(model.graph);
  for (const { node } of model.functions) yield* tensorsOfNodes(node);
}

function* tensorsOfGraph(graph: GraphProto): Generator<TensorProto> {
  yield* graph.initializer;
  yield* tensorsOfNodes(graph.node);
}

function* tensorsOfNodes(nodes: GraphProto["node"]): Generator<TensorProto> {
  for (const { attribute } of nodes) {
    for (const { t, g, tensors, graphs } of attribute) {
      if (t !== undefined) yield t;
      yield* tensors;
      for (const graph of g === undefined ? graphs : [g, ...graphs]) yield* tensorsOfGraph(graph);
    }
  }
}
