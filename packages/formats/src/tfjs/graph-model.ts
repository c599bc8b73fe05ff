import { EspalierError, type Model, type TensorData } from "@espalier/core";
import {
  dataValues,
  expandOperator,
  factorOf,
  isBatch,
  isCallOf,
  isLive,
  liveValues,
  type Node,
  resolveShape,
} from "@espalier/core/graph";
import type { Emission } from "./emission.ts";
import { bytesOf, dtypeName, GraphDefBuilder, shapeDef } from "./graph-def.ts";
import { emitters } from "./operators.ts";

/** Options of a TensorFlow.js graph model. */
export interface TfjsOptions {
  /** Largest size of a weight file; 4 MiB by default, a good size for browser caches. */
  readonly shardBytes?: number;
}

/**
 * Converts a model to a TensorFlow.js graph model for `tf.loadGraphModel`: the content of `model.json` and of its
 * weight files, by name. Inputs and outputs keep their names, the batch size stays open, masked weights are zeros, and
 * nodes that no output depends on are left out. Throws an EspalierError if an operator has no counterpart.
 */
export function writeTfjs(model: Model, options: TfjsOptions = {}): ReadonlyMap<string, Uint8Array> {
  const { def, inputs, outputs } = translate(model);
  const weights = [...def.weights].map(([name, { shape, dtype }]) => ({ name, shape, dtype }));
  const shards = cut(bytesOf(def.weights.values()), options.shardBytes ?? 4 * 1024 * 1024);
  const paths = shards.map((_, i) => `group1-shard${i + 1}of${shards.length}.bin`);
  const json = {
    format: "graph-model",
    generatedBy: "Espalier",
    convertedBy: "Espalier",
    signature: { inputs, outputs },
    userDefinedMetadata: { espalier: { name: model.name, options: model.options, history: model.history } },
    modelTopology: { node: def.nodes, versions: { producer: 1395, minConsumer: 12 } },
    weightsManifest: [{ paths, weights }],
  };
  return new Map([
    ["model.json", new TextEncoder().encode(`${JSON.stringify(json)}\n`)],
    ...shards.map((shard, i): [string, Uint8Array] => [paths[i]!, shard]),
  ]);
}

type Signature = Record<
  string,
  { readonly name: string; readonly dtype: string; readonly tensorShape: unknown }
>;

function translate(model: Model): { def: GraphDefBuilder; inputs: Signature; outputs: Signature } {
  const { graph } = model;
  const def = new GraphDefBuilder();
  const live = liveValues(graph);
  const names = new Map<number, string>();
  const inputs: Signature = {};
  const outputs: Signature = {};
  const describe = (name: string, value: number) => {
    const { dtype, shape } = graph.values[value]!;
    return { name: `${name}:0`, dtype: dtypeName(dtype), tensorShape: shapeDef(shape) };
  };
  for (const { name, value } of graph.inputs) {
    const { dtype, shape } = graph.values[value]!;
    names.set(value, def.input(name, dtype, shape));
    inputs[name] = describe(names.get(value)!, value);
  }
  const folded = foldWeights(model, live);
  const nameOf = (value: number): string => {
    const known = names.get(value);
    if (known !== undefined) return known;
    const { name, tensor } = folded.get(value)!;
    const made = def.constant(name, tensor);
    names.set(value, made);
    return made;
  };
  let size: string | undefined;
  const batchSize = () => {
    size ??= drawBatchSize(model, def, names);
    return size;
  };
  for (const node of graph.nodes) {
    if (!isLive(node, live) || folded.has(node.outputs[0]!)) continue;
    const drawn = emit(model, node, { def, inputs: node.inputs.map(nameOf), batchSize });
    node.outputs.forEach((output, i) => {
      names.set(output, drawn[i]!);
    });
  }
  for (const { name, value } of graph.outputs) {
    const made = def.node("Identity", name, [nameOf(value)], {
      T: { type: dtypeName(graph.values[value]!.dtype) },
    });
    outputs[name] = describe(made, value);
  }
  return { def, inputs, outputs };
}

/** Draws a node; returns the names of its outputs. */
function emit(
  model: Model,
  node: Node,
  call: Pick<Emission, "def" | "inputs" | "batchSize">,
): readonly string[] {
  const emitter = emitters.get(node.operator.name);
  if (emitter === undefined) {
    throw new EspalierError(
      `node ${node.name}: operator ${node.operator.name} has no counterpart in TensorFlow.js. Known: ${[...emitters.keys()].join(", ")}.`,
    );
  }
  const shapes = (ids: readonly number[]) => ids.map((id) => model.graph.values[id]!.shape);
  return [
    emitter({
      ...call,
      node,
      attributes: node.attributes,
      shapes: shapes(node.inputs),
      outputs: shapes(node.outputs),
    }),
  ].flat();
}

/** Computes tensors, and other layouts of tensors, once here instead of in every call. */
function foldWeights(model: Model, live: Uint8Array): Map<number, { name: string; tensor: TensorData }> {
  const { graph, tensors } = model;
  const data = dataValues(graph);
  const folded = new Map<number, { name: string; tensor: TensorData }>();
  for (const { name, value } of graph.tensors)
    if (live[value]) folded.set(value, { name, tensor: tensors.get(name)! });
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const { shape, dtype } = graph.values[output!]!;
    const layout = node.operator.rearranges && !isCallOf(node, expandOperator) && !shape.some(isBatch);
    if (!layout || !isLive(node, live) || data[output!] || !node.inputs.every((id) => folded.has(id)))
      continue;
    const operands = node.inputs.map((id) => {
      const { tensor } = folded.get(id)!;
      return { shape: tensor.shape, data: Float64Array.from(tensor.data) };
    });
    const concrete = resolveShape(shape, 1);
    const [result] = node.operator.evaluate(operands, node.attributes, [concrete], 1);
    const numbers = dtype === "int32" ? Int32Array.from(result!.data) : Float32Array.from(result!.data);
    folded.set(output!, { name: node.name, tensor: { dtype, shape: concrete, data: numbers } });
  }
  return folded;
}

/**
 * The batch size as an int32 vector of one number, from the first input with a batch axis; 1 if there is none, as
 * everywhere in Espalier.
 */
function drawBatchSize({ graph }: Model, def: GraphDefBuilder, names: ReadonlyMap<number, string>): string {
  for (const { value } of graph.inputs) {
    const { shape, dtype } = graph.values[value]!;
    const axis = shape.findIndex(isBatch);
    if (axis < 0) continue;
    const whole = { type: "DT_INT32" };
    const extents = def.node("Shape", "batch/shape", [names.get(value)!], { T: { type: dtypeName(dtype) } });
    const cutOut = [extents, def.integers([axis]), def.integers([1])];
    const extent = def.node("Slice", "batch/size", cutOut, { T: whole, Index: whole });
    const factor = factorOf(shape[axis]!);
    if (factor === 1) return extent;
    return def.node("FloorDiv", "batch/count", [extent, def.integers([factor])], { T: whole });
  }
  return def.integers([1]);
}

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / size));
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}
