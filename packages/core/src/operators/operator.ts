import type { Coupling, Operand } from "../dimensions/coupling.ts";
import { ShapeError } from "../errors.ts";
import type { Builder, TrainingContext, Value } from "../graph/builder.ts";
import { normalizeAxis } from "../graph/extent.ts";
import type { Attributes, Node, ValueType } from "../graph/graph.ts";
import type { NdArray } from "../reference/array.ts";

/** One call of an operator while its gradient is drawn. */
export interface GradientCall<A> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** d loss / d output; undefined where the loss does not depend on it. */
  readonly gradients: readonly (Value | undefined)[];
  readonly attributes: A;
  /** Whether the gradient of input `i` is asked for. */
  wants(input: number): boolean;
}

/**
 * Everything there is to know about one operator. Backends look their kernel up by `name`; all else reads these members.
 * Names and meanings are ONNX's where ONNX has the operator.
 */
export interface Operator<A extends Attributes = Attributes> {
  readonly name: string;
  /** How many inputs it takes: a number, or the least and the most. */
  readonly arity: number | readonly [least: number, most: number];
  /** Output types from input types. Throws a ShapeError that says which shapes do not fit; the builder adds the node's name. */
  infer(inputs: readonly ValueType[], attributes: A): readonly ValueType[];
  /**
   * Only moves elements: what it gives of a weight is still that weight. `all` of them, each equally often, or `some`, or
   * those of several weights.
   */
  readonly rearranges?: "all" | "some";
  /** Works number by number on what its inputs broadcast to. */
  readonly broadcasts?: true;
  /**
   * Floating-point operations of one call at concrete shapes, as `torch.utils.flop_counter` counts them:
   * 2 × multiply-adds of products, convolutions and attention; absent (zero) for everything else.
   */
  flops?(
    inputs: readonly (readonly number[])[],
    outputs: readonly (readonly number[])[],
    attributes: A,
  ): number;
  /** States which axes of inputs and outputs are one dimension and which are fixed. */
  couple(coupling: Coupling, inputs: readonly Operand[], outputs: readonly Operand[], attributes: A): void;
  /** The attributes after dimensions shrank; absent where no attribute repeats an extent. */
  resize?(attributes: A, resized: Resized): A;
  /**
   * What the output is when some inputs are nothing: "zero" likewise, the number of the input it equals (repeated to the
   * output's shape), the numbers of those inputs that the same node goes on with, or undefined: nothing simpler. Depth
   * pruning relies on it; an operator that gives elements for an empty input must say which.
   */
  simplify?(inputs: readonly Nothing[], attributes: A): "zero" | number | readonly number[] | undefined;
  /** Draws d loss / d input for every input; undefined for those that have none. Absent: not differentiable. */
  gradient?(b: Builder, call: GradientCall<A>): readonly (Value | undefined)[];
  /**
   * Draws what the node is during training, where that differs from evaluation (dropout, batch statistics); undefined
   * where its attributes say that it does not.
   */
  train?(
    b: Builder,
    inputs: readonly Value[],
    attributes: A,
    context: TrainingContext,
  ): readonly Value[] | undefined;
  /** The reference implementation: plain loops in double precision, written to be obviously right. */
  evaluate(
    inputs: readonly NdArray[],
    attributes: A,
    outputs: readonly (readonly number[])[],
    batchSize: number,
  ): readonly NdArray[];
}

/** Output types of a call, its inputs counted first. Throws a ShapeError that says what does not fit. */
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

/** A node of one operator: its attributes have their types. */
export type CallOf<A extends Attributes> = Node & { readonly attributes: A };

/** Whether a node calls an operator. Names decide: a plugin may bring a copy of core of its own. */
export function isCallOf<A extends Attributes>(
  node: Node | undefined,
  operator: Operator<A>,
): node is CallOf<A> {
  return node?.operator.name === operator.name;
}

/** The attributes of a node that is known to call an operator. Throws for a node that calls another one. */
export function attributesOf<A extends Attributes>(node: Node, operator: Operator<A>): A {
  if (isCallOf(node, operator)) return node.attributes;
  throw new TypeError(`node ${node.name} calls ${node.operator.name}, not ${operator.name}`);
}

/** Throws a ShapeError unless attributes are finite numbers: a graph may come from a file that anyone wrote. */
export function checkNumbers(attributes: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (!Number.isFinite(value)) throw new ShapeError(`its ${name} is not a number`);
  }
}

/** Throws a ShapeError unless an axis exists, counted from the first one. */
export function checkAxis(axis: number, rank: number): void {
  if (normalizeAxis(axis, rank) !== axis)
    throw new ShapeError(`axis ${axis} must be counted from the first one`);
}

/** A node's surroundings after pruning. */
export interface Resized {
  readonly outputs: readonly ValueType[];
  /** Where position `at` (0 … extent) of an input's axis has moved to. */
  position(input: number, axis: number, at: number): number;
}

/** What is known of an input while dimensions are emptied: zero throughout, without elements, or neither. */
export type Nothing = "zero" | "empty" | undefined;

/** `simplify` of operators that give zero for zero, and for a sum over nothing. */
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
