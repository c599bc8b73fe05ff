import { equals } from "@bufbuild/protobuf";
import { EspalierError } from "@espalier/core";
import type { Builder } from "@espalier/core/graph";
import {
  type AttributeProto,
  type FunctionProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  TensorProtoSchema,
} from "onnx-buf";
import { Attributes, unsupported } from "./attributes.ts";
import type { Call, Context, Rule } from "./call.ts";
import { isStandard } from "./decode.ts";
import { locate, UnreadableError } from "./errors.ts";
import { type Item, isKnown, isRepeated, isTruth, isValue } from "./items.ts";
import { type Known, onlyNumber } from "./known.ts";
import { isMadeUp, isScoped, moduleOf } from "./names.ts";
import {
  biasOf,
  maxNested,
  nameFor,
  neededNodes,
  type Readers,
  readersOf,
  resolved,
  titleOf,
} from "./nodes.ts";
import { alignedToBatch, ofRepeated } from "./repeated.ts";
import { ofCounting } from "./rules/counting.ts";
import { rules } from "./rules/index.ts";
import { ofListed } from "./rules/listed.ts";
import { checkShape } from "./sizes.ts";
import { readTensor } from "./tensor-data.ts";
import { shown } from "./text.ts";

/**
 * Maximum number of nodes read from one file, with functions and branches unrolled: a small file must not ask for an
 * endless graph.
 */
const maxNodes = 200_000;
/** Maximum number of numbers computed while importing one file. */
const maxNumbers = 2 ** 23;

/** The items behind names, in a graph and those around it. */
class Names {
  readonly #items = new Map<string, () => Item>();
  readonly #outer: Names | undefined;

  constructor(outer?: Names) {
    this.#outer = outer;
  }

  get(name: string): Item | undefined {
    const found = this.#items.get(name);
    return found === undefined ? this.#outer?.get(name) : found();
  }

  set(name: string, item: Item): void {
    this.#items.set(name, () => item);
  }

  /** Registers an item that is read on demand. */
  later(name: string, read: () => Item): void {
    let item: Item | undefined;
    this.#items.set(name, () => (item ??= read()));
  }

  has(name: string): boolean {
    return this.#items.has(name);
  }
}

/** A list of nodes with its context. */
interface Body {
  readonly nodes: readonly NodeProto[];
  /** Names that something reads. */
  readonly needed: ReadonlySet<string>;
  readonly names: Names;
  /** Attributes of the call that a function's attributes refer to. */
  readonly given: ReadonlyMap<string, AttributeProto>;
  readonly readers: Readers;
  readonly depth: number;
  /** The module of the node that called the function. */
  readonly module: string;
}

/** Reads the nodes of a file one after the other: computes what it can, and draws the rest. */
export class GraphReader {
  readonly #b: Builder;
  readonly #context: Context;
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  readonly #names = new Names();
  #nodes = 0;
  #numbers = 0;

  constructor(b: Builder, context: Context, functions: readonly FunctionProto[]) {
    this.#b = b;
    this.#context = context;
    this.#functions = new Map(functions.map((f) => [functionKey(f.domain, f.name, f.overload), f]));
  }

  /** Reads a graph with given inputs; returns its outputs in their order. */
  read(graph: GraphProto, inputs: ReadonlyMap<string, Item>): readonly Item[] {
    for (const [name, item] of inputs) this.#names.set(name, item);
    return this.#graph(graph, this.#names, 0, "");
  }

  /** The item behind a name of the graph after reading; for a weight, the tensor that it became. */
  itemNamed(name: string): Item | undefined {
    const item = this.#names.get(name);
    const tensor =
      item !== undefined && isKnown(item) ? this.#b.tensorNamed(item.source?.name ?? name) : undefined;
    return tensor ?? item;
  }

  #graph(graph: GraphProto, names: Names, depth: number, module: string): readonly Item[] {
    const initializers = new Map<string, TensorProto>();
    graph.initializer.forEach((tensor, order) => {
      const other = initializers.get(tensor.name);
      if (other !== undefined && !equals(TensorProtoSchema, tensor, other))
        throw new EspalierError(`two initialisers are called ${shown(tensor.name)}: the file is damaged.`);
      initializers.set(tensor.name, tensor);
      const source = { name: tensor.name, order };
      // The caller's value for an input takes precedence over the file's default.
      if (!names.has(tensor.name))
        names.later(tensor.name, () => readTensor(tensor, depth === 0 ? source : undefined));
    });
    const outputs = graph.output.map(({ name }) => name);
    const { nodes, needed } = neededNodes(graph.node, outputs);
    this.#body({ nodes, needed, names, given: new Map(), readers: readersOf(nodes), depth, module });
    return outputs.map((name) => {
      const item = names.get(name);
      if (item === undefined) throw new EspalierError(`no node computes the output ${shown(name)}.`);
      return item;
    });
  }

  #body(body: Body): void {
    if (body.depth > maxNested) throw new EspalierError("its functions or branches are nested too deeply.");
    for (const node of body.nodes) {
      if (++this.#nodes > maxNodes)
        throw new EspalierError(`it has more than ${maxNodes} nodes, which is too many.`);
      this.#context.opened?.count();
      const results = locate(
        () => titleOf(node),
        () => this.#node(node, body),
      );
      node.output.forEach((name, i) => {
        if (name === "") return;
        const item = results[i];
        if (item === undefined) return;
        if (body.names.has(name))
          throw new EspalierError(`two nodes compute ${shown(name)}: the file is damaged.`);
        body.names.set(name, this.#renamed(node, name, item));
      });
    }
  }

  /** A weight under another name is another weight: exporters merge weights with equal numbers. */
  #renamed(node: NodeProto, name: string, item: Item): Item {
    if (!isKnown(item)) return item;
    if (item.source === undefined) this.#count(item);
    if (node.opType !== "Identity" || item.source === undefined || isMadeUp(name)) return item;
    if (this.#context.weights.rolesAreTold) return item;
    return { ...item, source: { ...item.source, name } };
  }

  #count({ data }: Known): void {
    this.#numbers += data.length;
    if (this.#numbers > maxNumbers)
      throw new EspalierError("it computes too many constants, which no real model needs.");
  }

  #node(node: NodeProto, body: Body): readonly (Item | undefined)[] {
    const attributes = resolved(node.attribute, body.given);
    const inputs = node.input.map((name) => {
      if (name === "") return undefined;
      const item = body.names.get(name);
      if (item === undefined)
        throw new UnreadableError(`it reads ${shown(name)}, which no earlier node computes`);
      return item;
    });
    const called = this.#functions.get(functionKey(node.domain, node.opType, node.overload));
    if (called !== undefined) return this.#call(called, node, attributes, inputs, body);
    if (isStandard(node.domain) && node.opType === "If")
      return this.#if(new Attributes(attributes), inputs, body, node);
    const rule = isStandard(node.domain) ? rules.get(node.opType) : undefined;
    if (rule === undefined) throw new UnreadableError(whyNot(node));
    const module = moduleOf(node) || body.module;
    const call: Call = {
      operator: node.opType,
      module,
      b: module === "" ? this.#b : this.#b.scope(module),
      context: this.#context,
      attributes: new Attributes(attributes),
      inputs,
      wants: node.output.map((name) => name !== "" && body.needed.has(name)),
      nameFor: (part) => nameFor(part, node, module, body.readers),
      bias: () => {
        const item = body.names.get(biasOf(node, body.readers) ?? "");
        return item !== undefined && isKnown(item) ? item : undefined;
      },
      scoped: isScoped(node),
    };
    const outputs = outputsOf(rule, call);
    call.attributes.checkAllRead();
    return this.#checked(call.b, outputs);
  }

  /** Values must have a size that can be run and, if the batch was opened, keep samples separate. */
  #checked(b: Builder, items: readonly (Item | undefined)[]): readonly (Item | undefined)[] {
    for (const item of items) {
      const value = item === undefined || isKnown(item) ? undefined : isTruth(item) ? item.truth : item;
      if (value === undefined || !isValue(value)) continue;
      checkShape(value.shape);
      this.#context.opened?.check(b, value);
    }
    return items;
  }

  /** Reads the branch that a known condition selects. */
  #if(attributes: Attributes, [condition]: readonly (Item | undefined)[], body: Body, node: NodeProto) {
    const answer = condition !== undefined && isKnown(condition) ? onlyNumber(condition) : undefined;
    if (answer === undefined)
      throw new UnreadableError("its condition is computed from the input; it must be a constant");
    const [yes, no] = ["then_branch", "else_branch"].map((name) => attributes.get(name)?.g);
    attributes.checkAllRead();
    const branch = answer === 0 ? no : yes;
    if (branch === undefined) throw new UnreadableError("it has no branch for that");
    return this.#graph(branch, new Names(body.names), body.depth + 1, moduleOf(node) || body.module);
  }

  /** Reads a function of the file, with its nodes in place of the call. */
  #call(
    f: FunctionProto,
    node: NodeProto,
    attributes: readonly AttributeProto[],
    inputs: readonly (Item | undefined)[],
    body: Body,
  ): readonly (Item | undefined)[] {
    const declared = new Set([...f.attribute, ...f.attributeProto.map(({ name }) => name)]);
    const undeclared = attributes.find(({ name }) => !declared.has(name));
    if (undeclared !== undefined) throw unsupported(undeclared);
    const names = new Names();
    f.input.forEach((name, i) => {
      const item = inputs[i];
      if (item !== undefined) names.set(name, item);
    });
    const given = new Map(
      [...f.attributeProto, ...attributes].map((attribute) => [attribute.name, attribute]),
    );
    const { nodes, needed } = neededNodes(f.node, f.output);
    const module = moduleOf(node) || body.module;
    // An input that is omitted outside is omitted inside as well.
    const absent = new Set(f.input.filter((_, i) => inputs[i] === undefined));
    const inside = nodes.map((one) =>
      one.input.some((name) => absent.has(name))
        ? { ...one, input: one.input.map((name) => (absent.has(name) ? "" : name)) }
        : one,
    );
    this.#body({
      nodes: inside,
      needed,
      names,
      given,
      readers: readersOf(inside),
      depth: body.depth + 1,
      module,
    });
    return f.output.map((name) => names.get(name));
  }
}

/** Operators that move truth values like numbers, with the inputs they move; all inputs if none are given. */
const moves: Readonly<Record<string, readonly number[] | undefined>> = {
  ...Object.fromEntries(
    [
      ...["Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Tile"],
      ...["Slice", "Split", "Gather", "GatherElements", "GatherND", "Trilu", "DepthToSpace", "SpaceToDepth"],
    ].map((name) => [name, [0]]),
  ),
  Concat: undefined,
  Where: [1, 2],
  Pad: [0, 2],
  ScatterElements: [0, 2],
  ScatterND: [0, 2],
};

function outputsOf(rule: Rule, given: Call): readonly (Item | undefined)[] {
  const listed = ofListed(given, (inputs) => outputsOf(rule, { ...given, inputs }));
  if (listed !== undefined) return listed;
  if (given.inputs.some((item) => item !== undefined && isRepeated(item)))
    return ofRepeated(given, (inputs) => outputsOf(rule, { ...given, inputs }));
  const call = alignedToBatch(given);
  const list = (result: ReturnType<Rule>): readonly (Item | undefined)[] =>
    Array.isArray(result) ? result : [result as Item];
  const isMoved = (i: number) =>
    Object.hasOwn(moves, call.operator) && (moves[call.operator]?.includes(i) ?? true);
  const isBoolean = (item: Item | undefined) =>
    item !== undefined && (isTruth(item) || (isKnown(item) && item.kind === "bool"));
  if (!call.inputs.some((item, i) => isMoved(i) && isBoolean(item)))
    return list(ofCounting(call) ?? rule(call));
  const inputs = call.inputs.map((item, i) => (item !== undefined && isMoved(i) ? asNumbers(item) : item));
  return list(rule({ ...call, inputs })).map((item) => item && asTruth(item));
}

/** Truth values as ones and zeros. */
function asNumbers(item: Item): Item {
  if (isTruth(item)) return item.truth;
  return isKnown(item) && item.kind === "bool" ? { ...item, kind: "float" } : item;
}

function asTruth(item: Item): Item {
  if (isValue(item)) return { truth: item };
  return isKnown(item) ? { ...item, kind: "bool" } : item;
}

/** The reason why an operator cannot be read, and what to do. */
function whyNot({ opType, domain }: NodeProto): string {
  if (!isStandard(domain))
    return `Espalier has no operators of ${shown(domain)}. Export the model with ONNX's own`;
  if (/^(Random|Multinomial|Bernoulli)/.test(opType))
    return "it draws random numbers, so every forecast would differ. Export the model so that it returns its expected value, or another quantity without random draws (sampling off, model.eval())";
  if (opType === "Loop" || opType === "Scan")
    return "it repeats nodes, which is not supported. Export the model with a fixed number of steps, written out";
  return "Espalier does not have this operator. Export the model without it";
}

function functionKey(domain: string, name: string, overload: string): string {
  return JSON.stringify([isStandard(domain) ? "" : domain, name, overload]);
}
