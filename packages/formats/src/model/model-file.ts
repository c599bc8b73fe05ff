import {
  canonicalJson,
  countElements,
  type Dimension,
  type Dimensions,
  dimensionsIn,
  EspalierError,
  type Extent,
  extentOf,
  float32,
  type Graph,
  gatherKept,
  isZeroElsewhere,
  keptCount,
  loadGraph,
  type Mask,
  type Member,
  type Model,
  type Operator,
  printShape,
  sameExtent,
  spreadKept,
  storedGraph,
  type TensorData,
} from "@espalier/core/inference";
import {
  type RawBytes,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from "../safetensors/safetensors.ts";
import { type StoredModel, storedModelForm } from "./stored.ts";

const version = 1;
/** Maximum nesting of a model description. */
const mostLevels = 100;
const maskSuffix = "#mask";
const valuesSuffix = "#values";

/** Options of a model file. */
export interface EncodeOptions {
  /**
   * Store masked tensors as one bit per element (`<name>#mask`) and the kept values (`<name>#values`). On by default;
   * off stores every tensor in full, with the mask in addition.
   */
  readonly compact?: boolean;
}

/**
 * A dimension without its members, which follow from the axes; keys in a fixed order, so that a model read back gives
 * the same bytes.
 */
function storedDimension({ name, size, kind, fixed, within, original, originalSize }: Dimension) {
  return { name, size, kind, fixed, within, original, originalSize };
}

/**
 * Encodes a model as one self-describing safetensors file: graph, dimensions and history are in the header's metadata,
 * so it loads without the code that drew the model. The same model gives the same bytes.
 */
export function encodeModel(model: Model, { compact = true }: EncodeOptions = {}): Uint8Array {
  const tensors = new Map<string, TensorData | RawBytes>();
  const put = (name: string, tensor: TensorData | RawBytes) => {
    if (tensors.has(name)) throw new EspalierError(`the model needs the name "${name}" for two tensors.`);
    tensors.set(name, tensor);
  };
  for (const { name } of model.graph.tensors) {
    const tensor = model.tensors.get(name)!;
    const mask = model.masks.get(name);
    if (mask === undefined) {
      put(name, tensor);
      continue;
    }
    if (compact) {
      const kept = gatherKept(tensor.data as Float32Array, mask);
      put(`${name}${valuesSuffix}`, float32([kept.length], kept));
    } else put(name, tensor);
    put(`${name}${maskSuffix}`, { dtype: "uint8", shape: [mask.bits.length], data: mask.bits });
  }
  const { name, options, dense, history, metadata } = model;
  const list = model.dimensions.list.map(storedDimension);
  const stored = {
    name,
    options,
    graph: storedGraph(model.graph),
    dimensions: { list, axes: model.dimensions.axes },
    dense,
    history,
    metadata,
  };
  return writeSafetensors(tensors, {
    format: "espalier",
    "espalier.version": `${version}`,
    "espalier.model": canonicalJson(stored),
  });
}

/** A model file, taken apart. */
export interface Parts {
  readonly file: string;
  readonly stored: StoredModel;
  readonly content: Safetensors;
}

/** Takes a file apart; throws an EspalierError for anything that is not a model file. */
export function readParts(bytes: Uint8Array, file: string): Parts {
  const content = readSafetensors(bytes, { name: file });
  const { metadata } = content;
  if (metadata.format !== "espalier" || metadata["espalier.model"] === undefined) {
    throw new EspalierError(
      `${file}: this safetensors file holds tensors but no Espalier model. Load it as a checkpoint of a model's architecture.`,
    );
  }
  const written = metadata["espalier.version"] ?? "missing";
  if (Number(written) > version) {
    throw new EspalierError(
      `${file}: model format ${written} is newer than this version of Espalier knows (${version}). Update Espalier.`,
    );
  }
  if (written !== `${version}`)
    throw new EspalierError(`${file}: its model format (${written}) is not known.`);
  return { file, stored: parseModel(metadata["espalier.model"], file), content };
}

/** The model of a file, with those operators; errors of core say what is wrong with its graph, and the file's name is put before them. */
export function assemble({ file, stored, content }: Parts, known: ReadonlyMap<string, Operator>): Model {
  return located(file, () => {
    const graph = loadGraph(stored.graph, known);
    const { tensors, masks } = readTensors(graph, content, file);
    const { name, options, dense, history, metadata } = stored;
    const dimensions = readDimensions(stored, graph, file);
    return { name, options, graph, tensors, masks, dimensions, dense, history, metadata };
  });
}

function parseModel(text: string, file: string): StoredModel {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new EspalierError(`${file}: its model description is not JSON.`);
  }
  if (isDeeper(raw, mostLevels))
    throw new EspalierError(`${file}: its model description is nested more than ${mostLevels} levels deep.`);
  const fault = storedModelForm(raw);
  if (fault === undefined) return raw as StoredModel;
  throw new EspalierError(
    `${file}: its model description is damaged at ${fault.at || "the top"}: ${fault.problem}.`,
  );
}

/** Whether JSON is nested more deeply than that: code that descends into it would overflow the stack. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}

function readTensors(graph: Graph, content: Safetensors, file: string): Pick<Model, "tensors" | "masks"> {
  const tensors = new Map<string, TensorData>();
  const masks = new Map<string, Mask>();
  for (const { name, role, value } of graph.tensors) {
    const { shape, dtype } = graph.values[value]!;
    const mask = readMask(content, name, shape as readonly number[], file);
    const whole = content.tensors.get(name);
    const tensor = whole ?? (mask && unpack(content, name, mask, file));
    if (tensor === undefined) throw new EspalierError(`${file}: tensor "${name}" is missing.`);
    if (printShape(tensor.shape) !== printShape(shape) || tensor.dtype !== dtype) {
      throw new EspalierError(
        `${file}: tensor "${name}" has shape ${printShape(tensor.shape)}, the graph expects ${printShape(shape)}. Was the file pruned by another plan?`,
      );
    }
    tensors.set(name, tensor);
    if (mask === undefined) continue;
    if (role !== "trainable") throw new EspalierError(`${file}: "${name}" is a ${role} and has a mask.`);
    if (tensor === whole && !isZeroElsewhere(tensor.data as Float32Array, mask)) {
      throw new EspalierError(`${file}: tensor "${name}" is not zero where its mask removes it.`);
    }
    masks.set(name, mask);
  }
  return { tensors, masks };
}

function readMask(
  content: Safetensors,
  name: string,
  shape: readonly number[],
  file: string,
): Mask | undefined {
  const raw = content.bytes.get(`${name}${maskSuffix}`);
  if (raw === undefined) return undefined;
  const size = countElements(shape);
  const bits = raw.data;
  const spare = size % 8 === 0 ? 0 : (bits.at(-1) ?? 0) >> (size % 8);
  if (bits.length !== Math.ceil(size / 8) || spare !== 0) {
    throw new EspalierError(`${file}: the mask of "${name}" does not fit its shape ${printShape(shape)}.`);
  }
  return { shape, bits };
}

function unpack(content: Safetensors, name: string, mask: Mask, file: string): TensorData | undefined {
  const values = content.tensors.get(`${name}${valuesSuffix}`);
  if (values === undefined) return undefined;
  const kept = keptCount(mask);
  if (values.data.length !== kept) {
    throw new EspalierError(
      `${file}: "${name}" has ${values.data.length} kept values, but its mask keeps ${kept}.`,
    );
  }
  return { dtype: "float32", shape: mask.shape, data: spreadKept(values.data as Float32Array, mask) };
}

/** Reads stored dimensions, checked against the graph; members are derived again instead of trusted. */
function readDimensions(stored: StoredModel, graph: Graph, file: string): Dimensions {
  const { list, axes } = stored.dimensions;
  const damaged = (why: string) => new EspalierError(`${file}: its dimensions do not fit its graph: ${why}.`);
  if (axes.length !== graph.values.length)
    throw damaged(`${axes.length} values, but the graph has ${graph.values.length}`);
  const size = (d: number): Extent => {
    const dimension = list[d];
    if (dimension === undefined) throw damaged(`there is no dimension ${d}`);
    return dimension.size;
  };
  const members: Member[][] = list.map(() => []);
  axes.forEach((expressions, value) => {
    const { shape } = graph.values[value]!;
    const fits =
      expressions.length === shape.length &&
      expressions.every((e, i) => sameExtent(extentOf(e, size), shape[i]!));
    if (!fits) throw damaged(`value ${value} has shape ${printShape(shape)}`);
  });
  for (const { name, value } of graph.tensors) {
    axes[value]!.forEach((e, axis) => {
      dimensionsIn(e).forEach((d, place) => {
        members[d]!.push({ tensor: name, axis, place });
      });
    });
  }
  if (new Set(list.map(({ name }) => name)).size !== list.length) throw damaged("two have the same name");
  return {
    axes,
    list: list.map((dimension, d): Dimension => {
      if (dimension.within !== undefined) size(dimension.within);
      return { ...dimension, members: members[d]! };
    }),
  };
}

function located<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof EspalierError && !error.message.startsWith(file))
      throw new EspalierError(`${file}: ${error.message}`);
    throw error;
  }
}
