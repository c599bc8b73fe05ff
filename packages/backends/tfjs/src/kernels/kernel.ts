import type { Attributes, AttributesNamed, OperatorName } from "@espalier/core/graph";
import type { Tensor, Tf } from "../tensorflow-js.ts";

/** One call of an operator, at concrete shapes. */
export interface Call<A extends Attributes = Attributes> {
  readonly tf: Tf;
  readonly inputs: readonly Tensor[];
  readonly attributes: A;
  /** Shapes of the outputs. */
  readonly outputs: readonly (readonly number[])[];
  readonly batchSize: number;
}

/** Computes an operator's outputs. What it makes beside them is freed by the caller. */
export type Kernel<A extends Attributes = Attributes> = (call: Call<A>) => Tensor | readonly Tensor[];
/** Kernels by the operators they compute, whose attributes they are given. */
export type Kernels = { readonly [N in OperatorName]?: Kernel<AttributesNamed<N>> };

export function kernelsByName(kernels: Kernels): ReadonlyMap<string, Kernel> {
  return new Map(Object.entries(kernels)) as ReadonlyMap<string, Kernel>;
}

/** Size of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((n, extent) => n * extent, 1);
}
