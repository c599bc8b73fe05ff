import type { Attributes } from "@espalier/core";
import type { Tensor, Tf } from "../runtime.ts";

/** One call of an operator, at concrete shapes. */
export interface Call {
  readonly tf: Tf;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
  /** Shapes of the outputs. */
  readonly outputs: readonly (readonly number[])[];
  readonly batchSize: number;
}

/** Computes an operator's outputs. What it makes beside them is freed by the caller. */
export type Kernel = (call: Call) => Tensor | readonly Tensor[];
export type Kernels = Readonly<Record<string, Kernel>>;

/** Size of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((n, extent) => n * extent, 1);
}
