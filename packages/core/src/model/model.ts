import { type Accounting, account } from "../accounting/account.ts";
import type { Tensors } from "../backend.ts";
import type { Dimensions } from "../dimensions/dimensions.ts";
import { inferDimensions } from "../dimensions/infer.ts";
import { checkTensors } from "../graph/bind.ts";
import type { Graph } from "../graph/graph.ts";
import type { TensorData } from "../graph/tensor.ts";
import { canonicalJson } from "./canonical-json.ts";
import { createSha256 } from "./digest.ts";
import { applyMask, type Mask } from "./mask.ts";
import { storedGraph } from "./stored-graph.ts";

/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A model: its evaluation graph, its weights, and what is known about both. Read-only data; pruning returns a new model. */
export interface Model {
  /** Name of its definition, such as `iTransformer`; any name for imported models. */
  readonly name: string;
  /** Options that it was drawn with. */
  readonly options: Json;
  readonly graph: Graph;
  /** All tensors of the graph by name: trainable, buffers and constants. */
  readonly tensors: Tensors;
  /** Masks of trainable tensors; without one, every element is kept. Masked elements are 0 in `tensors`. */
  readonly masks: ReadonlyMap<string, Mask>;
  readonly dimensions: Dimensions;
  /** Counts of the unpruned model at batch 1: the reference for sparsity. */
  readonly dense: Accounting;
  /** Plans and fits that were applied to it, oldest first. */
  readonly history: readonly Json[];
  /** Data that belongs to the model but not to its graph: scaling, names of the series. */
  readonly metadata: { readonly [key: string]: Json };
}

/** Creates a model from a graph and its tensors. Throws an EspalierError if a tensor is missing or has another shape. */
export function createModel(parts: {
  readonly name: string;
  readonly graph: Graph;
  readonly tensors: Tensors;
  readonly options?: Json;
  readonly metadata?: { readonly [key: string]: Json };
}): Model {
  const { name, graph, options = {}, metadata = {} } = parts;
  checkTensors(graph, (tensor) => parts.tensors.get(tensor)?.shape);
  const tensors = new Map(graph.tensors.map((spec) => [spec.name, parts.tensors.get(spec.name)!]));
  const draft = { name, options, graph, tensors, masks: new Map(), metadata };
  return { ...draft, dimensions: inferDimensions(graph), dense: account(draft), history: [] };
}

/** Returns the model with new values in some tensors (shapes must not change); masks stay, and apply to the new values. */
export function withTensors(model: Model, tensors: Tensors, history: readonly Json[] = []): Model {
  const merged = new Map(model.tensors);
  for (const [name, tensor] of tensors) {
    if (!merged.has(name)) continue;
    const mask = model.masks.get(name);
    merged.set(
      name,
      mask === undefined ? tensor : { ...tensor, data: applyMask(tensor.data as Float32Array, mask) },
    );
  }
  checkTensors(model.graph, (tensor) => merged.get(tensor)?.shape);
  return { ...model, tensors: merged, history: [...model.history, ...history] };
}

const tensorDigests = new WeakMap<TensorData, string>();
const modelDigests = new WeakMap<Model, string>();

/** SHA-256 of graph, dimensions, masks and weights; plans name it as their base. */
export function digest(model: Model): string {
  const known = modelDigests.get(model);
  if (known !== undefined) return known;
  const hash = createSha256();
  hash.text(canonicalJson(storedGraph(model.graph)));
  const { list, axes } = model.dimensions;
  hash.text(canonicalJson({ axes, list: list.map(({ members: _derived, ...dimension }) => dimension) }));
  for (const { name } of model.graph.tensors) {
    hash.text(`${name}:${tensorDigest(model.tensors.get(name)!)}`);
    const mask = model.masks.get(name);
    if (mask !== undefined) hash.update(mask.bits);
  }
  const result = hash.digest();
  modelDigests.set(model, result);
  return result;
}

function tensorDigest(tensor: TensorData): string {
  const known = tensorDigests.get(tensor);
  if (known !== undefined) return known;
  const hash = createSha256();
  hash.text(`${tensor.dtype}[${tensor.shape.join()}]`);
  hash.update(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength));
  const result = hash.digest();
  tensorDigests.set(tensor, result);
  return result;
}
