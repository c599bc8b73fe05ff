import {
  canonicalJson,
  countElements,
  type Dimension,
  type Dimensions,
  dimensionsIn,
  EspalierError,
  type Extent,
  extentOf,
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
  type RawNumbers,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from "../safetensors/safetensors.ts";
import { gzip } from "./packing.ts";
import { scaled } from "./scales.ts";
import { type StoredModel, storedModelForm } from "./stored.ts";
import { exactTensors } from "./stored-weights.ts";

/** The newest version. Files without rounded weights are written as version 1, which older versions of Espalier read. */
const version = 2;
/** Maximum nesting of a model description. */
const maxLevels = 100;
const maskSuffix = "#mask";
const valuesSuffix = "#values";
const scalesSuffix = "#scales";
/** The tensor of a packed file that holds the file's content. */
const packedName = "gzip";

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
 *
 * Weights that `roundWeights` has rounded last are stored as it says, exactly; such a file is packed by gzip where the
 * platform can (Node, Deno, Bun), so its bytes, but not its content, depend on the platform's zlib.
 */
export function encodeModel(model: Model, { compact = true }: EncodeOptions = {}): Uint8Array {
  const tensors = new Map<string, TensorData | RawBytes | RawNumbers>();
  const put = (name: string, tensor: TensorData | RawBytes | RawNumbers) => {
    if (tensors.has(name)) throw new EspalierError(`the model needs the name "${name}" for two tensors.`);
    tensors.set(name, tensor);
  };
  const rounded = compact ? exactTensors(model) : new Map();
  for (const { name } of model.graph.tensors) {
    const { numbers = model.tensors.get(name)!, scales } = rounded.get(name) ?? {};
    const mask = model.masks.get(name);
    if (scales !== undefined) put(`${name}${scalesSuffix}`, scales);
    if (mask === undefined) {
      put(name, numbers);
      continue;
    }
    if (compact) {
      const data = gatherKept(numbers.data, mask);
      put(`${name}${valuesSuffix}`, { dtype: numbers.dtype, shape: [data.length], data });
    } else put(name, numbers);
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
  const file = writeSafetensors(tensors, described(rounded.size > 0 ? version : 1, canonicalJson(stored)));
  const data = rounded.size > 0 ? gzip(file) : undefined;
  if (data === undefined) return file;
  const packed = { dtype: "uint8", shape: [data.length], data } as const;
  return writeSafetensors(new Map([[packedName, packed]]), described(version, packedName));
}

function described(format: number, model: string) {
  return { format: "espalier", "espalier.version": `${format}`, "espalier.model": model };
}

/** A model file, taken apart. */
export interface Parts {
  readonly file: string;
  readonly stored: StoredModel;
  readonly content: Safetensors;
}

/** A file before its description is read. */
export interface Opened {
  readonly file: string;
  readonly content: Safetensors;
  /** The content of a packed file, packed. */
  readonly packed?: Uint8Array;
}

/** Opens a file; throws an EspalierError for anything that is not a model file. */
export function openFile(bytes: Uint8Array, file: string): Opened {
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
  if (written !== "1" && written !== `${version}`)
    throw new EspalierError(`${file}: its model format (${written}) is not known.`);
  if (metadata["espalier.model"] !== packedName) return { file, content };
  const packed = content.bytes.get(packedName)?.data;
  if (packed === undefined) throw new EspalierError(`${file}: its packed part is missing.`);
  return { file, content, packed };
}

/** Takes a file that is not packed apart. */
export function readParts({ file, content }: Opened): Parts {
  return { file, stored: parseModel(content.metadata["espalier.model"]!, file), content };
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
  if (isDeeper(raw, maxLevels))
    throw new EspalierError(`${file}: its model description is nested more than ${maxLevels} levels deep.`);
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
    const tensor = inFull(content, name, whole ?? (mask && unpack(content, name, mask, file)), file);
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
  return { dtype: values.dtype, shape: mask.shape, data: spreadKept(values.data, mask) };
}

/** A tensor in float32 again, if it is stored as int8. */
function inFull(
  content: Safetensors,
  name: string,
  tensor: TensorData | undefined,
  file: string,
): TensorData | undefined {
  const scales = content.tensors.get(`${name}${scalesSuffix}`);
  if (tensor === undefined || scales === undefined) return tensor;
  const { shape } = tensor;
  return { dtype: "float32", shape, data: scaled(tensor.data, shape, scales, () => `${file}: "${name}"`) };
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
