import { EspalierError, ShapeError } from "../errors.ts";
import { inferTypes, type Operator } from "../operators/operator.ts";
import { countElements, printShape, type Shape } from "./extent.ts";
import type {
  Attributes,
  DataType,
  Graph,
  NamedValue,
  Node,
  TensorRole,
  TensorSpec,
  Update,
  ValueId,
  ValueType,
} from "./graph.ts";
import { expectFewNodes, expectRoom } from "./room.ts";
import { float32, int32, type TensorData } from "./tensor.ts";

/** A value of a graph being drawn: its id and its type. */
export interface Value {
  readonly id: ValueId;
  readonly dtype: DataType;
  readonly shape: Shape;
}

/** Fills a parameter before training, from its shape and uniform random numbers in [0, 1). */
export type Initializer = (shape: readonly number[], random: () => number) => Float32Array;

/** Values and functions available to nodes while the training graph is drawn. */
export interface TrainingContext {
  /** Scalar float32 values; randomness is a function of both. */
  readonly seed: Value;
  readonly step: Value;
  /** The node's name, which selects its stream of random numbers. */
  readonly node: string;
  /** Makes the buffer that `input` reads become `value` after the step. */
  update(input: Value, value: Value): void;
}

/** A finished drawing: the graph, data given for its tensors, and initialisers of parameters. */
export interface Drawing {
  readonly graph: Graph;
  readonly data: ReadonlyMap<string, TensorData>;
  readonly initializers: ReadonlyMap<string, Initializer>;
}

interface Draft {
  readonly values: ValueType[];
  readonly inputs: NamedValue[];
  readonly tensors: TensorSpec[];
  readonly nodes: Node[];
  readonly outputs: NamedValue[];
  readonly updates: Update[];
  readonly producers: Map<ValueId, Node>;
  readonly names: Map<string, number>;
  readonly tensorsByName: Map<string, TensorSpec>;
  readonly data: Map<string, TensorData>;
  readonly initializers: Map<string, Initializer>;
  /** Size of all tensors so far. */
  bytes: number;
}

/** Draws a graph, node by node. `scope` returns a builder whose names carry a prefix; both share one drawing. */
export class Builder {
  readonly prefix: string;
  readonly #draft: Draft;

  private constructor(draft: Draft, prefix: string) {
    this.#draft = draft;
    this.prefix = prefix;
  }

  /** Creates an empty drawing, or one that continues a finished graph. */
  static create(from?: Graph): Builder {
    const draft: Draft = {
      values: [...(from?.values ?? [])],
      inputs: [...(from?.inputs ?? [])],
      tensors: [...(from?.tensors ?? [])],
      nodes: [...(from?.nodes ?? [])],
      outputs: [...(from?.outputs ?? [])],
      updates: [...(from?.updates ?? [])],
      producers: new Map(),
      names: new Map(),
      tensorsByName: new Map(from?.tensors.map((t) => [t.name, t])),
      data: new Map(),
      initializers: new Map(),
      bytes: 0,
    };
    for (const node of draft.nodes) {
      draft.names.set(node.name, 1);
      for (const output of node.outputs) draft.producers.set(output, node);
    }
    return new Builder(draft, "");
  }

  /** A builder whose tensor and node names begin with `prefix.name.`. */
  scope(name: string): Builder {
    return new Builder(this.#draft, this.prefix === "" ? name : `${this.prefix}.${name}`);
  }

  /** Adds an input with exactly this name (no prefix). */
  input(name: string, shape: Shape, dtype: DataType = "float32"): Value {
    if (this.#draft.inputs.some((input) => input.name === name)) {
      throw new EspalierError(`graph input "${name}" is drawn twice.`);
    }
    expectRoom(`input "${name}"`, shape);
    const value = this.#add({ dtype, shape });
    this.#draft.inputs.push({ name, value: value.id });
    return value;
  }

  /** Adds a trainable tensor. Drawing the same name again returns the same tensor. */
  parameter(name: string, shape: readonly number[], initializer: Initializer): Value {
    const full = this.#qualify(name);
    const value = this.tensor(full, "trainable", { dtype: "float32", shape });
    this.#draft.initializers.set(full, initializer);
    return value;
  }

  /** Adds a tensor with its own data that training may update but the optimiser does not touch. */
  buffer(name: string, data: TensorData): Value {
    return this.#withData(this.#qualify(name), "buffer", data);
  }

  /** Adds a number or tensor that belongs to the graph. Equal scalars are added once. */
  constant(value: number | TensorData, name?: string): Value {
    if (typeof value === "number") {
      return this.#withData(`constant:${value}`, "constant", float32([], [value]));
    }
    const base = this.#qualify(name ?? "constant");
    return this.#withData(base, "constant", value);
  }

  /** Adds constant indices. */
  indices(name: string, shape: readonly number[], data: ArrayLike<number>): Value {
    return this.constant(int32(shape, data), name);
  }

  /** Adds a tensor with exactly this name (no prefix); an existing one must have the same type and role. */
  tensor(name: string, role: TensorRole, type: ValueType): Value {
    const known = this.#draft.tensorsByName.get(name);
    if (known !== undefined) {
      const value = this.value(known.value);
      const describe = (as: TensorRole, { dtype, shape }: ValueType) => `${as} ${dtype} ${printShape(shape)}`;
      const [before, now] = [describe(known.role, value), describe(role, type)];
      if (before !== now) throw new EspalierError(`tensor "${name}" is drawn as ${before} and as ${now}.`);
      return value;
    }
    this.#draft.bytes = expectRoom(`tensor "${name}"`, type.shape, this.#draft.bytes);
    const value = this.#add(type);
    const spec: TensorSpec = { name, role, value: value.id };
    this.#draft.tensors.push(spec);
    this.#draft.tensorsByName.set(name, spec);
    return value;
  }

  /** Adds another name under which checkpoints hold a tensor of the drawing: a module that several layers share. */
  alias(name: string, of: Value): void {
    const index = this.#draft.tensors.findIndex(({ value }) => value === of.id);
    const spec = this.#draft.tensors[index];
    if (spec === undefined) throw new EspalierError(`"${name}" cannot name a value that is not a tensor.`);
    const named = { ...spec, aliases: [...(spec.aliases ?? []), this.#qualify(name)] };
    this.#draft.tensors[index] = named;
    this.#draft.tensorsByName.set(spec.name, named);
  }

  /** Adds a node with one output. */
  apply<A extends Attributes>(operator: Operator<A>, inputs: readonly Value[], attributes: A): Value {
    return this.applyAll(operator, inputs, attributes)[0]!;
  }

  /** Adds a node and returns all its outputs. */
  applyAll<A extends Attributes>(
    operator: Operator<A>,
    inputs: readonly Value[],
    attributes: A,
    givenName?: string,
  ): readonly Value[] {
    const name = this.#nodeName(givenName ?? this.#qualifyNode(operator.name));
    let types: readonly ValueType[];
    try {
      types = inferTypes(operator, inputs, attributes);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      const shapes = inputs.map((input) => printShape(input.shape)).join(" and ");
      throw new EspalierError(`node ${name} (${operator.name}) of ${shapes}: ${error.message}.`);
    }
    const outputs = types.map((type) => this.#add(type));
    const node: Node = {
      name,
      // Attributes are typed where the operator is defined; from here on they are plain data.
      operator: operator,
      inputs: inputs.map((input) => input.id),
      outputs: outputs.map((output) => output.id),
      attributes,
    };
    this.#draft.nodes.push(node);
    expectFewNodes(this.#draft.nodes.length);
    for (const output of outputs) this.#draft.producers.set(output.id, node);
    return outputs;
  }

  /** Makes a value an output of the graph, with exactly this name. */
  output(name: string, value: Value): void {
    if (this.#draft.outputs.some((output) => output.name === name)) {
      throw new EspalierError(`graph output "${name}" is drawn twice.`);
    }
    this.#draft.outputs.push({ name, value: value.id });
  }

  /** Makes the named tensor become `value` after a run. */
  update(tensor: string, value: Value): void {
    this.#draft.updates.push({ tensor, value: value.id });
  }

  /** A value of the drawing by its id. */
  value(id: ValueId): Value {
    const type = this.#draft.values[id]!;
    return { id, dtype: type.dtype, shape: type.shape };
  }

  /** The node that computes a value; undefined for inputs and tensors. */
  producer(value: Value): Node | undefined {
    return this.#draft.producers.get(value.id);
  }

  /** A tensor of the drawing by its full name; undefined if there is none. */
  tensorNamed(name: string): Value | undefined {
    const spec = this.#draft.tensorsByName.get(name);
    return spec && this.value(spec.value);
  }

  /** Returns the drawing so far; the builder can continue. */
  build(): Drawing {
    const { values, inputs, tensors, nodes, outputs, updates, data, initializers } = this.#draft;
    const graph: Graph = {
      values: [...values],
      inputs: [...inputs],
      tensors: [...tensors],
      nodes: [...nodes],
      outputs: [...outputs],
      updates: [...updates],
    };
    return { graph, data, initializers };
  }

  #add(type: ValueType): Value {
    this.#draft.values.push({ dtype: type.dtype, shape: type.shape });
    return { id: this.#draft.values.length - 1, dtype: type.dtype, shape: type.shape };
  }

  #withData(name: string, role: TensorRole, data: TensorData): Value {
    const value = this.tensor(name, role, { dtype: data.dtype, shape: data.shape });
    this.#draft.data.set(name, data);
    return value;
  }

  #qualify(name: string): string {
    return this.prefix === "" ? name : `${this.prefix}.${name}`;
  }

  #qualifyNode(operator: string): string {
    return this.prefix === "" ? operator : `${this.prefix}/${operator}`;
  }

  #nodeName(base: string): string {
    const seen = this.#draft.names.get(base) ?? 0;
    this.#draft.names.set(base, seen + 1);
    if (seen === 0) return base;
    return this.#nodeName(`${base}_${seen}`);
  }
}

/** PyTorch's default for linear layers: uniform in ±1/√fanIn. */
export function uniformFanIn(fanIn: number): Initializer {
  const bound = 1 / Math.sqrt(fanIn);
  return (shape, random) => fill(shape, () => (2 * random() - 1) * bound);
}

/** The same number everywhere. */
export function filled(value: number): Initializer {
  return (shape) => fill(shape, () => value);
}

/** Standard normal numbers (Box and Muller). */
export const normal: Initializer = (shape, random) =>
  fill(shape, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));

function fill(shape: readonly number[], next: () => number): Float32Array {
  return Float32Array.from({ length: countElements(shape) }, next);
}
