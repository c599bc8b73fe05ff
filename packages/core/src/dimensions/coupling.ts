import type { Shape } from "../graph/extent.ts";
import type { Expression } from "./expression.ts";

/** One input or output of a node during dimension inference. */
export interface Operand {
  readonly shape: Shape;
  readonly axes: readonly Expression[];
  /** Whether it was computed: from an input, or from tensors by more than moving elements. A weight in any layout is not. */
  readonly activation: boolean;
}

/** How an axis is used; kinds of dimensions are derived from it. */
export type AxisUse =
  /** Batch axis of a matrix product, in both operands. */
  | "batchOfProduct"
  /** The same for an element-wise product of two values that depend on the input. */
  | "batchOfScaling"
  /** Contracted by a product of two values that depend on the input, or summed over. */
  | "contracted"
  /** Feature axis of a residual Add or of a normalisation. */
  | "embedding";

/** The interface through which an operator's `couple` states its constraints. */
export interface Coupling {
  /** Both axes are the same dimension (or sum or product of dimensions). */
  same(a: Expression, b: Expression): void;
  /** Axis by axis; ranks must agree. */
  sameAll(a: Operand, b: Operand): void;
  /** Like `sameAll`, aligned at the last axis; a repeated axis of extent 1 carries no dimension. */
  broadcast(from: Operand, to: Operand): void;
  /** The same elements in row-major order, grouped into other axes. */
  regroup(from: readonly Expression[], to: readonly Expression[]): void;
  /** `whole` is `parts` one after the other. */
  join(parts: readonly Expression[], whole: Expression): void;
  /** `part` is `whole` from `start` to `end`. */
  select(whole: Expression, part: Expression, start: number, end: number): void;
  /** Positions along the axis have a meaning, so none may be removed; reports show `reason`. */
  fixed(axis: Expression, reason: string): void;
  /** Records how an axis is used, from which kinds of dimensions are derived. */
  note(axis: Expression, use: AxisUse): void;
}
