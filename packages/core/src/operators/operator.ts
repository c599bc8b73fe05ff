import type { Coupling, Operand } from "../dimensions/coupling.ts";
import { ShapeError } from "../errors.ts";
import type { Builder, TrainingContext, Value } from "../graph/builder.ts";
import { normalizeAxis } from "../graph/extent.ts";
import type { Attributes, Node, ValueType } from "../graph/graph.ts";
import type { NdArray } from "../reference/array.ts";

/** One call of an operator whose gradient is being drawn. */
export interface GradientCall<A> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** d loss / d output; undefined if the loss does not depend on it. */
  readonly gradients: readonly (Value | undefined)[];
  readonly attributes: A;
  /** Whether the gradient of input `i` is needed. */
  wants(input: number): boolean;
}

/**
 * The full definition of an operator. Backends look up their kernel by `name`; everything else reads these members.
 * Names and meanings are ONNX's if ONNX has the operator.
 */
export interface Operator<A extends Attributes = Attributes> {
  readonly name: string;
  /** Number of inputs: a number, or minimum and maximum. */
  readonly arity: number | readonly [least: number, most: number];
  /**
   * Infers output types from input types. Throws a ShapeError that says which shapes do not fit; the builder adds the
   * node's name.
   */
  infer(inputs: readonly ValueType[], attributes: A): readonly ValueType[];
  /**
   * Only moves elements, so that its result for a weight still is that weight: `all` elements, each equally often, or
   * `some`, or those of several weights.
   */
  readonly rearranges?: "all" | "some";
  /** Works number by number after broadcasting its inputs. */
  readonly broadcasts?: true;
  /**
   * Floating-point operations of one call at concrete shapes, as counted by `torch.utils.flop_counter`: 2 ×
   * multiply-adds of products, convolutions and attention; absent (zero) for everything else.
   */
  flops?(
    inputs: readonly (readonly number[])[],
    outputs: readonly (readonly number[])[],
    attributes: A,
  ): number;
  /** Declares which axes of inputs and outputs are the same dimension, and which are fixed. */
  couple(coupling: Coupling, inputs: readonly Operand[], outputs: readonly Operand[], attributes: A): void;
  /** Returns the attributes after dimensions have shrunk; absent if no attribute repeats an extent. */
  resize?(attributes: A, resized: Resized): A;
  /**
   * Simplifies a node some of whose inputs are zero or empty. Returns "zero" if the output is zero; the number of the
   * input that it equals (repeated to the output's shape); the numbers of the inputs with which the same node
   * continues; or undefined if nothing is simpler. Depth pruning relies on it; an operator whose output for an empty
   * input has elements must define it.
   */
  simplify?(inputs: readonly Nothing[], attributes: A): "zero" | number | readonly number[] | undefined;
  /**
   * Draws d loss / d input for every input; undefined for inputs without one. Absent if the operator is not
   * differentiable.
   */
  gradient?(b: Builder, call: GradientCall<A>): readonly (Value | undefined)[];
  /**
   * Draws the node's behaviour during training, if it differs from evaluation (dropout, batch statistics); returns
   * undefined if the attributes make no difference.
   */
  train?(
    b: Builder,
    inputs: readonly Value[],
    attributes: A,
    context: TrainingContext,
  ): readonly Value[] | undefined;
  /** The reference implementation: plain loops in double precision, written for obvious correctness. */
  evaluate(
    inputs: readonly NdArray[],
    attributes: A,
    outputs: readonly (readonly number[])[],
    batchSize: number,
  ): readonly NdArray[];
}

/**
 * Infers the output types of a call, after checking the number of inputs. Throws a ShapeError that says what does not
 * fit.
 */
export function inferTypes<A extends Attributes>(
  { arity, infer }: Operator<A>,
  inputs: readonly ValueType[],
  attributes: A,
): readonly ValueType[] {
  const [least, most] = typeof arity === "number" ? [arity, arity] : arity;
  if (inputs.length < least || inputs.length > most) {
    throw new ShapeError(
      `it takes ${least === most ? least : `${least} to ${most}`} inputs, not ${inputs.length}`,
    );
  }
  return infer(inputs, attributes);
}

/** A node of one operator, with typed attributes. */
export type CallOf<A extends Attributes> = Node & { readonly attributes: A };

/** Whether a node calls an operator. Compares names, because a plugin may bring its own copy of core. */
export function isCallOf<A extends Attributes>(
  node: Node | undefined,
  operator: Operator<A>,
): node is CallOf<A> {
  return node?.operator.name === operator.name;
}

/** The attributes of a node that calls a given operator. Throws for a node that calls another one. */
export function attributesOf<A extends Attributes>(node: Node, operator: Operator<A>): A {
  if (isCallOf(node, operator)) return node.attributes;
  throw new TypeError(`node ${node.name} calls ${node.operator.name}, not ${operator.name}`);
}

/** Throws a ShapeError unless attributes are finite numbers: the graph may come from an untrusted file. */
export function checkNumbers(attributes: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (!Number.isFinite(value)) throw new ShapeError(`its ${name} is not a number`);
  }
}

/** Throws a ShapeError unless an axis exists and is counted from the first. */
export function checkAxis(axis: number, rank: number): void {
  if (normalizeAxis(axis, rank) !== axis)
    throw new ShapeError(`axis ${axis} must be counted from the first one`);
}

/** Information about a node's inputs and outputs after pruning. */
export interface Resized {
  readonly outputs: readonly ValueType[];
  /** The new position after pruning of position `at` (0 … extent) along an input's axis. */
  position(input: number, axis: number, at: number): number;
}

/** State of an input while dimensions are emptied: zero throughout, without elements, or neither. */
export type Nothing = "zero" | "empty" | undefined;

/** `simplify` for operators whose output is zero for a zero input and for a sum over nothing. */
export function zeroForZero([first]: readonly Nothing[]): "zero" | undefined {
  return first === undefined ? undefined : "zero";
}

/**
 * Defines an operator; its attributes are typed here once, and plain data everywhere else. Bundlers leave out those that
 * nothing reads.
 *
 * @__NO_SIDE_EFFECTS__
 */
export function defineOperator<A extends Attributes>(operator: Operator<A>): Operator<A> {
  return Object.freeze(operator);
}
