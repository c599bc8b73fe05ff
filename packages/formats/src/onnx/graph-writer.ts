import { EspalierError, type Model, type TensorData } from "@espalier/core";
import { type Extent, isBatch, type Shape, type ValueId } from "@espalier/core/graph";
import type { NodeProto, TensorProto } from "onnx-buf";
import { type AttributeValue, checkSize, int, int64Tensor, nodeProto, tensorProto } from "./proto.ts";

/** Collects nodes and initialisers of an ONNX graph under unique names. */
export class GraphWriter {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly #model: Model;
  readonly #names = new Map<ValueId, string>();
  readonly #taken = new Set<string>();
  readonly #takenNodes = new Set<string>();
  readonly #constants = new Map<string, string>();
  readonly #batches = new Map<number, string>();
  #bytes = 0;

  constructor(model: Model) {
    this.#model = model;
    const { inputs, outputs } = model.graph;
    for (const { name, value } of inputs) this.#names.set(value, this.#claim(name, "an input"));
    for (const { name } of outputs) this.#claim(name, "an output");
  }

  /** The ONNX name of a value that was written or declared. */
  nameOf(value: ValueId): string {
    return this.#names.get(value)!;
  }

  has(value: ValueId): boolean {
    return this.#names.has(value);
  }

  /** Gives a value a name that already exists. */
  alias(value: ValueId, name: string): void {
    this.#names.set(value, name);
  }

  /** A free name similar to the wanted one. */
  fresh(wanted: string): string {
    return unused(this.#taken, wanted);
  }

  /** Adds a node with one output and returns its name. By default, `output` is derived from the node's name. */
  node(
    name: string,
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    output: string = this.fresh(name),
  ): string {
    this.nodeWith(name, opType, inputs, attributes, [output]);
    return output;
  }

  /** Adds a node with all its outputs. */
  nodeWith(
    name: string,
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>>,
    outputs: readonly string[],
  ): void {
    this.nodes.push(nodeProto(unused(this.#takenNodes, name), opType, inputs, outputs, attributes));
  }

  initializer(tensor: TensorProto): string {
    this.#bytes += tensor.rawData.byteLength;
    checkSize(this.#bytes);
    this.initializers.push(tensor);
    return tensor.name;
  }

  /** A float32 scalar. */
  scalar(value: number): string {
    return this.constant(`scalar/${value}`, {
      dtype: "float32",
      shape: [],
      data: Float32Array.of(value),
    });
  }

  /** A tensor that the format needs. Equal names denote the same tensor. */
  constant(wanted: string, tensor: TensorData): string {
    return this.#shared(wanted, (name) => tensorProto(name, tensor));
  }

  /** Integers as one axis of int64. */
  integers(values: readonly number[]): string {
    return this.#shared(`integers/${values.join()}`, (name) => int64Tensor(name, values));
  }

  /** An int64 scalar. */
  integer(value: number): string {
    return this.#shared(`integer/${value}`, (name) => int64Tensor(name, [value], []));
  }

  /** A shape for Reshape. It has at most one batch axis, which is inferred from the rest. */
  openShape(shape: Shape): string {
    return this.integers(shape.map((extent) => (isBatch(extent) ? -1 : extent)));
  }

  /** A shape as one axis of int64; extents that depend on the batch size are computed from the shape of an input. */
  extents(shape: Shape): string {
    if (!shape.some(isBatch)) return this.integers(shape as readonly number[]);
    const parts: string[] = [];
    let constant: number[] = [];
    const close = () => {
      if (constant.length > 0) parts.push(this.integers(constant));
      constant = [];
    };
    for (const extent of shape) {
      if (!isBatch(extent)) constant.push(extent);
      else {
        close();
        parts.push(this.#timesBatch(extent.batch));
      }
    }
    close();
    return parts.length === 1 ? parts[0]! : this.node("batch/shape", "Concat", parts, { axis: int(0) });
  }

  /** `factor` times the batch size, as one axis of one int64. */
  #timesBatch(factor: number): string {
    const known = this.#batches.get(factor);
    if (known !== undefined) return known;
    const name = this.#batchFromInput(factor);
    this.#batches.set(factor, name);
    return name;
  }

  #batchFromInput(factor: number): string {
    const found = this.#batchAxis();
    // As everywhere in Espalier, the batch is 1 without an input that has a batch axis.
    if (found === undefined) return this.integers([factor]);
    const [name, axis, per] = found;
    const whole = (n: number) => this.integers([n]);
    if (per === factor)
      return this.node("batch/extent", "Shape", [name], { start: int(axis), end: int(axis + 1) });
    if (factor !== 1) return this.node("batch/times", "Mul", [this.#timesBatch(1), whole(factor)]);
    return this.node("batch/size", "Div", [this.#timesBatch(per), whole(per)]);
  }

  /** An input with a batch axis: its name, the axis, and its extent as a multiple of the batch size. */
  #batchAxis(): [string, number, number] | undefined {
    const { inputs, values } = this.#model.graph;
    for (const { name, value } of inputs) {
      const { shape } = values[value]!;
      const axis = shape.findIndex(isBatch);
      if (axis >= 0) return [name, axis, (shape[axis] as Exclude<Extent, number>).batch];
    }
    return undefined;
  }

  #shared(wanted: string, make: (name: string) => TensorProto): string {
    const known = this.#constants.get(wanted);
    if (known !== undefined) return known;
    const name = this.initializer(make(this.fresh(wanted)));
    this.#constants.set(wanted, name);
    return name;
  }

  #claim(name: string, what: string): string {
    if (this.#taken.has(name)) {
      throw new EspalierError(
        `"${name}" names ${what} and another value of the graph; ONNX needs different names for inputs and outputs.`,
      );
    }
    this.#taken.add(name);
    return name;
  }
}

/** The wanted name, or the first free one with a number appended; adds it to the set. */
function unused(taken: Set<string>, wanted: string): string {
  let name = wanted;
  for (let i = 1; taken.has(name); i++) name = `${wanted}_${i}`;
  taken.add(name);
  return name;
}
