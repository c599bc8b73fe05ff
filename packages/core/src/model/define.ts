import type { Tensors } from "../backend.ts";
import { readBy, type Schema } from "../documents/schema.ts";
import { EspalierError } from "../errors.ts";
import { Builder, type Drawing, type Value } from "../graph/builder.ts";
import { printShape } from "../graph/extent.ts";
import type { Graph } from "../graph/graph.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import { randomStream } from "../operators/random.ts";
import { createModel, type Json, type Model } from "./model.ts";

/** How a model is drawn. */
export interface ModelDefinition<O> {
  readonly name: string;
  /** Checks options and fills in defaults. */
  readonly options: Schema<O>;
  /** Draws inputs and nodes and gives the outputs by name. */
  draw(b: Builder, options: O): Readonly<Record<string, Value>>;
  /** Converts a checkpoint of the original implementation to this drawing's names and shapes. */
  checkpoint?(tensors: Tensors, options: O): Tensors;
}

/** A model's architecture with given options, without weights. */
export interface Architecture {
  readonly name: string;
  readonly options: Json;
  readonly graph: Graph;
  /** Creates the model with the initial weights of the original implementation. The same seed gives the same weights. */
  initialize(seed?: number): Model;
  /** Creates the model with weights from a checkpoint, by name. Throws an EspalierError that lists the mismatches. */
  load(tensors: Tensors): Model;
}

/** Draws a model at options: `iTransformer({ series: 7 })`. Throws an EspalierError for options that make no sense. */
export type ModelFactory<I> = ((options: I) => Architecture) & {
  readonly definition: ModelDefinition<unknown>;
};

/** Creates a factory such as `iTransformer(options)` from a definition: it validates the options and draws the graph. */
export function defineModel<I, O>(definition: ModelDefinition<O>): ModelFactory<I> {
  const factory = (input: I): Architecture => {
    const options = readBy(definition.options, input, `model "${definition.name}"`);
    const b = Builder.create();
    for (const [name, value] of Object.entries(definition.draw(b, options))) b.output(name, value);
    const drawing = b.build();
    const make = (tensors: Tensors): Model =>
      createModel({ name: definition.name, options: options as Json, graph: drawing.graph, tensors });
    return {
      name: definition.name,
      options: options as Json,
      graph: drawing.graph,
      initialize: (seed = 0) => make(initialTensors(drawing, seed)),
      load: (tensors) =>
        make(matchCheckpoint(definition.name, drawing, definition.checkpoint?.(tensors, options) ?? tensors)),
    };
  };
  return Object.assign(factory, { definition: definition as unknown as ModelDefinition<unknown> });
}

function initialTensors(drawing: Drawing, seed: number): Tensors {
  return new Map(
    drawing.graph.tensors.map(({ name, value }) => {
      const given = drawing.data.get(name);
      if (given !== undefined) return [name, given];
      const shape = drawing.graph.values[value]!.shape as readonly number[];
      return [name, float32(shape, drawing.initializers.get(name)!(shape, randomStream(seed, name)))];
    }),
  );
}

/** Matches a checkpoint with the tensors of a drawing; those that the drawing has data for may be missing. */
function matchCheckpoint(model: string, { graph, data }: Drawing, checkpoint: Tensors): Tensors {
  const problems: string[] = [];
  const used = new Set<string>();
  const tensors = new Map<string, TensorData>();
  for (const { name, value, role, aliases = [] } of graph.tensors) {
    const found = [name, ...aliases].filter((candidate) => checkpoint.has(candidate));
    for (const candidate of found) used.add(candidate);
    const tensor = found.length > 0 ? checkpoint.get(found[0]!)! : data.get(name);
    const { shape, dtype } = graph.values[value]!;
    if (tensor === undefined || (role === "constant" && !data.has(name)))
      problems.push(`"${name}" ${printShape(shape)} is missing`);
    else if (printShape(tensor.shape) !== printShape(shape)) {
      problems.push(
        `"${name}" has shape ${printShape(tensor.shape)}, the model expects ${printShape(shape)}`,
      );
    } else if (tensor.dtype !== dtype) {
      problems.push(`"${name}" holds ${tensor.dtype}, the model expects ${dtype}`);
    } else tensors.set(name, tensor);
  }
  for (const name of checkpoint.keys())
    if (!used.has(name)) problems.push(`"${name}" is not part of the model`);
  if (problems.length > 0) {
    const shown = problems.slice(0, 8).join("; ");
    const more = problems.length > 8 ? `; and ${problems.length - 8} more` : "";
    throw new EspalierError(
      `the checkpoint does not fit ${model}: ${shown}${more}. Do its options match the checkpoint's?`,
    );
  }
  return tensors;
}
