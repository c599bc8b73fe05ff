import {
  type Attributes,
  type AttributesNamed,
  type Extent,
  isBatch,
  type Node,
  type OperatorName,
  type Shape,
} from "@espalier/core/graph";
import type { GraphDefBuilder } from "./graph-def.ts";

/** One call of an operator that is to be drawn with TensorFlow's. */
export interface Emission<A extends Attributes = Attributes> {
  readonly def: GraphDefBuilder;
  readonly node: Node;
  readonly attributes: A;
  readonly inputs: readonly string[];
  readonly shapes: readonly Shape[];
  readonly outputs: readonly Shape[];
  /** An int32 vector of one number: the batch size, read from a graph input. */
  batchSize(): string;
}

/** Draws a call and names its output, or all its outputs. */
export type Emit<A extends Attributes = Attributes> = (call: Emission<A>) => string | readonly string[];
/** How operators are drawn, whose attributes each is given. */
export type Emits = { readonly [N in OperatorName]?: Emit<AttributesNamed<N>> };

export const float = { T: { type: "DT_FLOAT" } };
export const int32 = { T: { type: "DT_INT32" } };

/** A value with its axes in another order. */
export function transpose(
  def: GraphDefBuilder,
  name: string,
  x: string,
  perm: readonly number[],
  type = "DT_FLOAT",
): string {
  return def.node("Transpose", name, [x, def.integers(perm)], { T: { type }, Tperm: { type: "DT_INT32" } });
}

/** A value in another shape. */
export function reshape(call: Emission, name: string, x: string, shape: Shape, type = float): string {
  return call.def.node("Reshape", name, [x, openShape(call, shape)], type);
}

/** A shape for Reshape: the axis of the batch, if there is one, is inferred from the rest. */
function openShape(call: Emission, shape: Shape): string {
  if (shape.filter(isBatch).length > 1) return fullShape(call, shape);
  return call.def.integers(shape.map((extent) => (isBatch(extent) ? -1 : extent)));
}

/** A shape as numbers; those of the batch are computed from a graph input. */
export function fullShape(call: Emission, shape: Shape): string {
  const { def, node } = call;
  if (!shape.some(isBatch)) return def.integers(shape as readonly number[]);
  const pieces = shape.map((extent: Extent) =>
    isBatch(extent)
      ? def.node("Mul", `${node.name}/extent`, [call.batchSize(), def.integers([extent.batch])], {
          T: { type: "DT_INT32" },
        })
      : def.integers([extent]),
  );
  return pieces.length === 1 ? pieces[0]! : join(def, `${node.name}/shape`, pieces, 0, "DT_INT32");
}

export function join(
  def: GraphDefBuilder,
  name: string,
  parts: readonly string[],
  axis: number,
  type: string,
): string {
  return def.node("ConcatV2", name, [...parts, def.integer(axis)], {
    T: { type },
    N: { i: String(parts.length) },
    Tidx: { type: "DT_INT32" },
  });
}
