import type { Shape } from "../graph/extent.ts";
import type { Expression } from "./expression.ts";

/** One input or output of a node while dimensions are inferred. */
export interface Operand {
  readonly shape: Shape;
  readonly axes: readonly Expression[];
  /** Was computed: from an input, or from tensors by more than moving their elements. A weight, however laid out, was not. */
  readonly activation: boolean;
}

/** What an axis was seen to do; kinds are derived from it. */
export type AxisUse =
  /** Batch axis of a matrix product, of both its operands. */
  | "batchOfProduct"
  /** The same of an element-wise product of two values that depend on the input. */
  | "batchOfScaling"
  /** Contracted by a product of two values that depend on the input, or summed over. */
  | "contracted"
  /** Feature axis of a residual Add, or normalised. */
  | "embedding";

/** What an operator's `couple` says with. */
export interface Coupling {
  /** Both axes are the same dimension (or sum of products of dimensions). */
  same(a: Expression, b: Expression): void;
  /** Axis by axis; ranks must agree. */
  sameAll(a: Operand, b: Operand): void;
  /** As `sameAll`, aligned at the last axis; an axis of extent 1 that is repeated carries no dimension. */
  broadcast(from: Operand, to: Operand): void;
  /** The same elements in row-major order, grouped into other axes. */
  regroup(from: readonly Expression[], to: readonly Expression[]): void;
  /** `whole` is `parts` one after the other. */
  join(parts: readonly Expression[], whole: Expression): void;
  /** `part` is `whole` from `start` to `end`. */
  select(whole: Expression, part: Expression, start: number, end: number): void;
  /** Positions along the axis have a meaning, so none may be removed; `reason` reaches the report. */
  fixed(axis: Expression, reason: string): void;
  /** Says what an axis is used for, from which kinds of dimensions are derived. */
  note(axis: Expression, use: AxisUse): void;
}
