import type { Coupling, Operand } from "../dimensions/coupling.ts";
import { ShapeError } from "../errors.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { type Extent, elementsOf, isBatch, printShape, type Shape, sameShape } from "../graph/extent.ts";
import type { ValueType } from "../graph/graph.ts";
import { expand } from "./broadcast.ts";
import { reshape, swapAxes } from "./layout.ts";
import { matMul } from "./matmul.ts";
import { concat, slice } from "./slice.ts";

/**
 * Common parts of recurrent cells. A cell of G gates runs over T steps of N sequences and keeps a state of H numbers
 * for each. Products with its input are ordinary products, drawn for all steps at once: a cell takes their sums, [T, N,
 * G, H], and adds the contribution of its state through the recurrent weight [G, H, H].
 */

/** Direction of a cell: from the last step to the first if `reverse`. */
export type RecurrenceAttributes = { readonly reverse: boolean };

/** Sizes of a cell: steps, sequences, gates, and width of the state. */
export interface CellSizes {
  readonly steps: number;
  readonly sequences: Extent;
  readonly gates: number;
  readonly width: number;
}

/** Reads sizes from the gates. Throws a ShapeError if they or the recurrent weight do not fit. */
export function cellSizes(gates: ValueType, weight: ValueType, count: number): CellSizes {
  const [steps, sequences, own, width] = gates.shape;
  const sound =
    gates.shape.length === 4 && typeof steps === "number" && own === count && typeof width === "number";
  if (!sound || isBatch(width))
    throw new ShapeError(
      `the gates must be [steps, sequences, ${count}, width], not ${printShape(gates.shape)}`,
    );
  expectShape("the recurrent weight", weight, [count, width, width]);
  return { steps, sequences: sequences!, gates: count, width };
}

export function expectShape(what: string, { shape }: ValueType, expected: Shape): void {
  if (!sameShape(shape, expected))
    throw new ShapeError(`${what} must have shape ${printShape(expected)}, not ${printShape(shape)}`);
}

/** Axes of gates […, G, H], of recurrent weights [G, H, H], of per-step results [T, N, H], and of states [N, H]. */
export interface CellOperands {
  readonly gates: readonly Operand[];
  readonly weights: readonly Operand[];
  readonly steps: readonly Operand[];
  readonly states: readonly Operand[];
  readonly biases?: readonly Operand[];
}

/** The width is one dimension everywhere: a unit of the state is removed with its rows in every gate, and its column. */
export function coupleCell(
  coupling: Coupling,
  { gates, weights, steps, states, biases = [] }: CellOperands,
): void {
  const [time, sequence, gate, width] = gates[0]!.axes as [number, number, number, number];
  coupling.fixed(time, "a recurrence runs along it");
  coupling.fixed(gate, "these are the gates of a recurrent cell");
  const same = (operand: Operand, axes: readonly number[]) => {
    operand.axes.forEach((axis, i) => {
      coupling.same(axis, axes[i]!);
    });
  };
  for (const operand of gates) same(operand, [time, sequence, gate, width]);
  for (const operand of weights) same(operand, [gate, width, width]);
  for (const operand of steps) same(operand, [time, sequence, width]);
  for (const operand of states) same(operand, [sequence, width]);
  for (const operand of biases) same(operand, [gate, width]);
}

/** Floating-point operations of the recurrent products. */
export function cellFlops([steps, sequences, gates, width]: readonly number[]): number {
  return 2 * steps! * sequences! * gates! * width! * width!;
}

/** Draws the state before each step: the initial one, then the result of the previous step. */
export function statesBefore(b: Builder, initial: Value, after: Value, reverse: boolean): Value {
  const [steps, ...rest] = after.shape as readonly [number, ...Extent[]];
  const first = reshape(b, initial, [1, ...rest]);
  if (steps === 1) return first;
  return reverse
    ? concat(b, [slice(b, after, 0, 1, steps), first], 0)
    : concat(b, [first, slice(b, after, 0, 0, steps - 1)], 0);
}

/** Draws the contribution of the state to all gates of all steps: states [T, N, H] and weight [G, H, H] → [T, N, G, H]. */
export function recurrentProducts(b: Builder, states: Value, weight: Value): Value {
  const [gates, width] = weight.shape as readonly [number, number, number];
  const matrix = reshape(b, weight, [gates * width, width]);
  const product = matMul(b, states, swapAxes(b, matrix, 0, 1));
  return reshape(b, product, [...states.shape.slice(0, -1), gates, width]);
}

/** Draws the gradient of the recurrent weight from those of all gates [T, N, G, H] and the states before each step. */
export function recurrentWeightGradient(b: Builder, gates: Value, states: Value): Value {
  const [steps, sequences, count, width] = gates.shape as readonly [number, Extent, number, number];
  const rows = elementsOf([steps, sequences]);
  const left = reshape(b, gates, [rows, count * width]);
  const product = matMul(b, swapAxes(b, left, 0, 1), reshape(b, states, [rows, width]));
  return reshape(b, product, [count, width, width]);
}

/** The gradient, or zeros if there is none. */
export function orZeros(b: Builder, gradient: Value | undefined, like: Value): Value {
  return gradient ?? expand(b, b.constant(0), like.shape);
}

/** The steps in a cell's order. */
export function stepsOf(count: number, reverse: boolean): number[] {
  const steps = Array.from({ length: count }, (_, t) => t);
  return reverse ? steps.reverse() : steps;
}

/** Adds weight [G, H, H] · state [H], starting at `at`, to `sums` [G, H]. */
export function addProduct(
  weight: Float64Array,
  state: Float64Array,
  at: number,
  width: number,
  sums: Float64Array,
): void {
  for (let row = 0; row < sums.length; row++) {
    for (let k = 0; k < width; k++) sums[row]! += weight[row * width + k]! * state[at + k]!;
  }
}

/** Adds the transposed product, weight [G, H, H]ᵀ · gates [G, H], to `sums` [H]. */
export function addTransposed(
  weight: Float64Array,
  gates: Float64Array,
  at: number,
  sums: Float64Array,
): void {
  const width = sums.length;
  for (let row = 0; row < weight.length / width; row++) {
    for (let k = 0; k < width; k++) sums[k]! += weight[row * width + k]! * gates[at + row]!;
  }
}

export const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
