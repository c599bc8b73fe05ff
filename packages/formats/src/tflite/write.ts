import { EspalierError, type Model, type TensorData } from "@espalier/core";
import {
  findOperations,
  type Linear,
  type LiveNode,
  linear,
  type Survey,
  survey,
} from "@espalier/core/compile";
import { readBy } from "@espalier/core/documents";
import {
  expandOperator,
  isBatch,
  isCallOf,
  type NdArray,
  type Node,
  resolveShape,
  transposeOperator,
  type ValueId,
} from "@espalier/core/graph";
import { z } from "zod";
import { drawing, FileParts, type Part } from "./emission.ts";
import { encodeFile } from "./file.ts";
import { emitters } from "./operators.ts";

const atLeastOne = "must be a whole number from 1";
const schema = z.strictObject({ batch: z.int(atLeastOne).min(1, atLeastOne).default(1) });

/** - `batch`: windows per run (1). LiteRT's delegates need shapes that do not change. */
export type TfliteOptions = z.input<typeof schema>;

/**
 * A model's evaluation graph as a `.tflite` file for LiteRT. The batch is fixed, inputs and outputs keep their names (in
 * the one signature), masked weights are zeros, what no output depends on is left out. The same model gives the same
 * bytes. Throws an EspalierError for a training graph, for operators that LiteRT cannot express, and for tensors beyond
 * 2 GiB.
 */
export function writeTflite(model: Model, options: TfliteOptions = {}): Uint8Array {
  const { batch } = readBy(schema, options, "LiteRT export");
  if (model.graph.updates.length > 0) {
    throw new EspalierError(
      `the graph updates "${model.graph.updates[0]!.tensor}" after each run, which LiteRT cannot do here. Export the evaluation graph.`,
    );
  }
  return new Writing(model, batch).file();
}

/** One model on its way into a file. */
class Writing {
  readonly #model: Model;
  readonly #batch: number;
  readonly #survey: Survey;
  readonly #parts = new FileParts();
  /** Values that are computed, and constants that are needed so far. */
  readonly #values = new Map<ValueId, Part>();
  /** Constants with their axes exchanged. */
  readonly #turned = new Map<ValueId, Part>();
  readonly #folded = new Map<ValueId, NdArray>();

  constructor(model: Model, batch: number) {
    this.#model = model;
    this.#batch = batch;
    this.#survey = survey(model.graph);
  }

  file(): Uint8Array {
    const { name, graph } = this.#model;
    const inputs = graph.inputs.map(({ name, value }) => {
      const part = this.#parts.input(name, graph.values[value]!.dtype, this.#shape(value));
      this.#values.set(value, part);
      return [name, part.number] as const;
    });
    for (const operation of findOperations(this.#survey, [linear])) {
      if (operation.kind === "linear") this.#linear(operation);
      else if (!this.#isConstant(operation)) this.#emit(operation.node, operation.inputs);
    }
    const outputs: (readonly [string, number])[] = [];
    for (const { name, value } of graph.outputs) {
      const taken = [...inputs, ...outputs].map(([, number]) => number);
      outputs.push([name, this.#output(name, this.#survey.source(value), taken)]);
    }
    return encodeFile({
      name,
      description: `${name}, written by Espalier for batches of ${this.#batch}`,
      tensors: this.#parts.tensors,
      operators: this.#parts.operators,
      inputs,
      outputs,
    });
  }

  #shape(value: ValueId): readonly number[] {
    return resolveShape(this.#model.graph.values[value]!.shape, this.#batch);
  }

  /** An output's tensor is nothing else: a copy if the value is an input, a constant, or another output's. */
  #output(name: string, value: ValueId, taken: readonly number[]): number {
    const part = this.#part(value);
    if (part.data === undefined && !taken.includes(part.number)) return part.number;
    const { shape, type } = part;
    const [copy] = this.#parts.call("RESHAPE", name, [part, this.#parts.integers(shape)], [{ type, shape }]);
    return copy!.number;
  }

  /** Values that depend on tensors alone are computed here, once; repeating is left to the file. */
  #isConstant({ node }: LiveNode): boolean {
    return (
      node.outputs.every((output) => this.#survey.isFixed(output)) &&
      !(isCallOf(node, expandOperator) && this.#model.graph.values[node.outputs[0]!]!.shape.some(isBatch))
    );
  }

  #part(value: ValueId): Part {
    const known = this.#values.get(value);
    if (known !== undefined) return known;
    const made = this.#parts.constant(this.#nameOf(value), this.#constant(value));
    this.#values.set(value, made);
    return made;
  }

  #nameOf(value: ValueId): string {
    return this.#survey.tensor(value) ?? this.#survey.producer(value)!.node.name;
  }

  #constant(value: ValueId): TensorData {
    const tensor = this.#survey.tensor(value);
    if (tensor !== undefined) return this.#model.tensors.get(tensor)!;
    const { shape, data } = this.#evaluated(value);
    const { dtype } = this.#model.graph.values[value]!;
    return { dtype, shape, data: dtype === "int32" ? Int32Array.from(data) : Float32Array.from(data) };
  }

  #evaluated(value: ValueId): NdArray {
    const known = this.#folded.get(value);
    if (known !== undefined) return known;
    const tensor = this.#survey.tensor(value);
    if (tensor !== undefined) {
      const { shape, data } = this.#model.tensors.get(tensor)!;
      return { shape, data: Float64Array.from(data) };
    }
    const { node, inputs } = this.#survey.producer(value)!;
    const operands = inputs.map((input) => this.#evaluated(input));
    const shapes = node.outputs.map((output) => this.#shape(output));
    const results = node.operator.evaluate(operands, node.attributes, shapes, this.#batch);
    node.outputs.forEach((output, i) => {
      this.#folded.set(output, results[i]!);
    });
    return this.#folded.get(value)!;
  }

  #emit(node: Node, inputs: readonly ValueId[]): void {
    const emitter = emitters.get(node.operator.name);
    if (emitter === undefined) {
      throw new EspalierError(
        `node ${node.name}: operator ${node.operator.name} has no form in LiteRT. Known: ${[...emitters.keys()].join(", ")}.`,
      );
    }
    const made = emitter({
      file: this.#parts,
      node,
      attributes: node.attributes,
      inputs: inputs.map((input) => this.#part(input)),
      outputs: node.outputs.map((output) => this.#shape(output)),
      batch: this.#batch,
    });
    [made].flat().forEach((part, i) => {
      this.#values.set(node.outputs[i]!, part as Part);
    });
  }

  /** A product with a constant matrix and its bias are one operator; what follows is emitted one by one. */
  #linear(operation: Linear): void {
    const { node, x, weight, bias, activation, residual, output } = operation;
    const { isFixed } = this.#survey;
    const draw = drawing({ file: this.#parts, node });
    let part: Part;
    if (isFixed(weight) && !isFixed(x)) {
      part = draw.fullyConnected(
        this.#part(x),
        this.#turnedPart(weight),
        bias !== undefined && isFixed(bias) ? this.#part(bias) : undefined,
      );
      if (bias !== undefined && !isFixed(bias)) part = draw.binary("ADD", part, this.#part(bias));
    } else {
      this.#emit(node, [x, weight]);
      part = this.#values.get(node.outputs[0]!)!;
      if (bias !== undefined) part = draw.binary("ADD", part, this.#part(bias));
    }
    if (activation !== undefined) {
      this.#values.set(activation.inputs[0]!, part);
      this.#emit(activation, [activation.inputs[0]!]);
      part = this.#values.get(activation.outputs[0]!)!;
    }
    if (residual !== undefined) part = draw.binary("ADD", part, this.#part(residual));
    this.#values.set(output, part);
  }

  /** A constant matrix [inputs, outputs] as [outputs, inputs]: the tensor itself, if the graph turns it. */
  #turnedPart(weight: ValueId): Part {
    const producer = this.#survey.producer(weight);
    if (producer !== undefined && isCallOf(producer.node, transposeOperator))
      return this.#part(producer.inputs[0]!);
    const known = this.#turned.get(weight);
    if (known !== undefined) return known;
    const { shape, data } = this.#evaluated(weight);
    const [rows, columns] = shape as [number, number];
    const made = this.#parts.constant(this.#nameOf(weight), {
      dtype: "float32",
      shape: [columns, rows],
      data: Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
    });
    this.#turned.set(weight, made);
    return made;
  }
}
