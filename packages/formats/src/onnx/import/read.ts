import { createModel, EspalierError, type Json, type Model, type TensorData } from "@espalier/core";
import { unshareRepeats } from "@espalier/core/dimensions";
import { readBy } from "@espalier/core/documents";
import { Builder, expand, type Graph, isBatch, type Value } from "@espalier/core/graph";
import { removeDead } from "@espalier/core/pruning";
import { z } from "zod";
import type { Context } from "./call.ts";
import { decode, type OnnxFile } from "./decode.ts";
import { attach, Claims, type ExternalRange, externalRanges } from "./external.ts";
import { GraphReader } from "./graph-reader.ts";
import { type GraphInput, readInputs, withOpenBatch } from "./inputs.ts";
import { type Item, isKnown, isListed, isListedShape, isRepeated, isTruth, isValue } from "./items.ts";
import { readOwnMetadata, restore, rolesOf } from "./own.ts";
import type { GuessedRoles } from "./roles.ts";
import { OpenedBatch } from "./samples.ts";
import { checkShape } from "./sizes.ts";
import { shown } from "./text.ts";
import { leadingLengths } from "./traced.ts";
import { Weights } from "./weights.ts";

const schema = z.strictObject({
  name: z.string().default("ONNX file"),
  axes: z.record(z.string(), z.union([z.int().positive(), z.literal("batch")])).default({}),
  openBatch: z.boolean().default(false),
  trainable: z.array(z.string()).default([]),
  buffers: z.array(z.string()).default([]),
  external: z.custom<ReadonlyMap<string, Uint8Array>>((value) => value instanceof Map).default(new Map()),
});

/**
 * - `name`: of the file, in messages.
 * - `axes`: lengths for open axes by their names in the file (`{ sequence: 96 }`); one axis stays open, the batch: the
 *   first that is open, unless one is given `"batch"`.
 * - `openBatch`: read a file that was made for one batch size as if its batch were open; an error says which node mixes
 *   the samples of a batch, or does not say where they go.
 * - `trainable`, `buffers`: weights that are (not) trained, by name pattern (`*` for any text), by their names in the file
 *   or in the model.
 * - `external`: contents of the files that hold numbers of this one, by their location in it.
 */
export type OnnxImportOptions = z.input<typeof schema>;
type Options = z.output<typeof schema>;

/**
 * Reads an ONNX model (opset 13 to 28, float32) as a graph like any other: it runs, trains, is pruned and exported.
 * Constants are computed, shapes with the batch as a symbol; GELU, normalisations and softmax written as many nodes
 * become one. Trained are the weights of products, convolutions and normalisations, and all other tensors that the
 * exporter named as the model does; running statistics, tables of sines and what exporters made up are buffers, numbers
 * are constants. ONNX does not say what is trained: `metadata.onnx.guessed` names the tensors of which neither their use nor
 * an option told it. Throws an EspalierError in one line for what cannot be read, an operator Espalier does not have among it.
 */
export function readOnnx(bytes: Uint8Array, options: OnnxImportOptions = {}): Model {
  const parsed = readBy(schema, options, "ONNX import");
  return locatedIn(parsed.name, () => {
    const file = decode(bytes);
    const claims = new Claims();
    for (const range of externalRanges(file.model)) attach(range, sliceOf(range, parsed.external, claims));
    return readModel(file, parsed);
  });
}

/** Like readOnnx, for a file whose external data has already been read into its tensors. */
export function readDecoded(file: OnnxFile, options: OnnxImportOptions): Model {
  const parsed = readBy(schema, options, "ONNX import");
  return locatedIn(parsed.name, () => readModel(file, parsed));
}

function sliceOf(range: ExternalRange, files: Options["external"], claims: Claims): Uint8Array {
  const { tensor, location, offset, length } = range;
  const content = files.get(location);
  if (content === undefined) {
    throw new EspalierError(
      `tensor ${shown(tensor.name)}: its numbers are in ${shown(location)}. Load the model by its path, or give that file's content as external.`,
    );
  }
  claims.add(range, content.length);
  return content.subarray(offset, offset + length);
}

/** Puts the file's name before errors. */
export function locatedIn<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof EspalierError) throw new EspalierError(`${name}: ${error.message}`);
    throw error;
  }
}

/** Combinations of places for the batch that are tried before a file is read as it is. */
const maxAttempts = 100;

function readModel(file: OnnxFile, options: Options): Model {
  const initializers = new Set(file.graph.initializer.map(({ name }) => name));
  const inputs = readInputs(
    file.graph.input.filter(({ name }) => !initializers.has(name)),
    options.axes,
  );
  if (!inputs.some(({ shape }) => shape.some(isBatch)))
    return options.openBatch ? drawOpened(file, options, inputs) : draw(file, options, inputs);
  try {
    return draw(file, options, inputs);
  } catch (error) {
    const model = error instanceof EspalierError ? drawTraced(file, options, inputs) : undefined;
    if (model === undefined) throw error;
    return model;
  }
}

/** The model with its batch open. Throws an EspalierError that says what keeps it closed. */
function drawOpened(file: OnnxFile, options: Options, inputs: readonly GraphInput[]): Model {
  const open = withOpenBatch(inputs);
  const keep =
    "Leave its batch as it is, or export the model with an open batch (dynamic_shapes or dynamic_axes).";
  if (open === undefined)
    throw new EspalierError(`its inputs have no common first axis to open as batch. ${keep}`);
  const found = placed(file, options, open.inputs, open.size);
  if (typeof found !== "string") return found;
  // What cannot be read at all says so itself.
  draw(file, options, inputs);
  throw new EspalierError(
    `its batch, which is ${open.size} in the file, cannot be opened: ${found.replace(/\.?$/, ".")} ${keep}`,
  );
}

/**
 * A model whose inputs have an open batch, though its shapes hold the batch that it was traced with, as those of
 * TorchScript do for `len(x)`; undefined if no length in them makes a model.
 */
function drawTraced(file: OnnxFile, options: Options, inputs: readonly GraphInput[]): Model | undefined {
  for (const size of leadingLengths(file.graph)) {
    const found = placed(file, options, inputs, size);
    if (typeof found !== "string") return found;
  }
  return undefined;
}

/** The model with the batch in place of a size in its shapes; the reason if there is no place for it. */
function placed(
  file: OnnxFile,
  options: Options,
  inputs: readonly GraphInput[],
  size: number,
): Model | string {
  const opened = new OpenedBatch(size);
  let furthest = { nodes: -1, why: "" };
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    try {
      opened.restart();
      return draw(file, options, inputs, opened);
    } catch (error) {
      if (!(error instanceof EspalierError)) throw error;
      if (opened.nodesRead > furthest.nodes) furthest = { nodes: opened.nodesRead, why: error.message };
      if (opened.isExhausted || !opened.next()) break;
    }
  }
  return furthest.why;
}

function draw(file: OnnxFile, options: Options, inputs: readonly GraphInput[], opened?: OpenedBatch): Model {
  const { model, graph, opset } = file;
  const b = Builder.create();
  const initializers = graph.initializer.map(({ name }) => name);
  const own = readOwnMetadata(model);
  const roles = own && rolesOf(own);
  const weights = new Weights(b, { ...options, ...(roles && { roles }) }, new Set(initializers));
  const context: Context = { weights, opset, ...(opened && { opened }) };
  const given = new Map<string, Item>(
    inputs.map(({ name, shape, dtype }) => [name, b.input(name, shape, dtype)]),
  );
  const reader = new GraphReader(b, context, model.functions);
  const outputs = reader.read(graph, given);
  for (const [i, { name }] of graph.output.entries()) {
    const value = outputValue(b, context, name, outputs[i]!);
    opened?.checkOutput(b, value);
    b.output(name, value);
  }
  weights.checkPatterns();
  const { graph: drawn, data } = b.build();
  const tensors = new Map<string, TensorData>([...data, ...weights.tensors]);
  const place = ({ name }: Graph["tensors"][number]) => weights.order.get(name) ?? Number.POSITIVE_INFINITY;
  const order = drawn.tensors.toSorted((x, y) => place(x) - place(y) || 0);
  for (const { shape } of drawn.values) checkShape(shape);
  const name = modelName(graph.name);
  const whole = createModel({ name, graph: { ...drawn, tensors: order }, tensors });
  if (own !== undefined) return restore(whole, own, (valueName) => valueIn(reader, valueName));
  const live = removeDead(whole);
  const guessed = weights.guessed(new Set(live.graph.tensors.map(({ name }) => name)));
  const metadata: { [key: string]: Json } = { onnx: originOf(file, guessed, opened) };
  return createModel({ name, ...unshareRepeats(live.graph, live.tensors), metadata });
}

/** The value of the drawing that a name of the file stands for. */
function valueIn(reader: GraphReader, name: string): number | undefined {
  const item = reader.itemNamed(name);
  return item !== undefined && isValue(item) ? item.id : undefined;
}

function outputValue(b: Builder, context: Context, name: string, item: Item): Value {
  if (isValue(item)) return item;
  if (isRepeated(item)) return expand(b, outputValue(b, context, name, item.repeats), item.shape);
  // Truth values are ones and zeros.
  if (isTruth(item)) return item.truth;
  if (isListed(item) || isListedShape(item))
    throw new EspalierError(
      `output ${shown(name)}: its length would depend on the input, but shapes must not.`,
    );
  if (!isKnown(item)) throw new EspalierError(`output ${shown(name)} is a list of values.`);
  return context.weights.lift(b, item, { as: "operand", name });
}

/** Names that exporters give every graph. */
const generic = /^(main_?graph|torch[-_]?jit.*|graph|)$/i;

function modelName(graph: string): string {
  return generic.test(graph) || graph.length > 100 ? "onnx" : graph;
}

function originOf({ model, opset }: OnnxFile, guessed: GuessedRoles, opened?: OpenedBatch): Json {
  const producer = [model.producerName, model.producerVersion].filter(Boolean).join(" ").slice(0, 100);
  return { opset, producer, guessed: { ...guessed }, ...(opened && { openedBatch: opened.size }) };
}
