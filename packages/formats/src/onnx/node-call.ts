import type { Attributes, Graph, Node, Shape } from "@espalier/core/graph";
import type { GraphWriter } from "./graph-writer.ts";
import { type AttributeValue, ints } from "./proto.ts";

/** One node of core that is being written. */
export interface NodeCall<A = Attributes> {
  readonly writer: GraphWriter;
  readonly name: string;
  readonly node: Node;
  readonly graph: Graph;
  /** ONNX names and core's shapes of the inputs. */
  readonly inputs: readonly string[];
  readonly shapes: readonly Shape[];
  /** ONNX names for the outputs, and their shapes in core. */
  readonly outputs: readonly string[];
  readonly outputShapes: readonly Shape[];
  readonly attributes: A;
  /** Version of ONNX's operators. */
  readonly opset: number;
  /** Whether Gelu is written as the operator of opset 20, or as Div, Erf, Add, Mul. */
  readonly gelu: "operator" | "decomposed";
  /** Adds the node that computes the first output: the only one of nearly all operators. */
  emit(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, AttributeValue>>,
  ): void;
}

export type Rule<A> = (call: NodeCall<A>) => void;

/** The part of a call that names and collects nodes. */
export type Writing = Pick<NodeCall, "writer" | "name">;

/** A value in another shape. */
export function reshaped({ writer, name }: Writing, x: string, shape: Shape): string {
  return writer.node(`${name}/Reshape`, "Reshape", [x, writer.openShape(shape)]);
}

/** A value with its axes in another order. */
export function transposed({ writer, name }: Writing, x: string, perm: readonly number[]): string {
  if (perm.every((axis, i) => axis === i)) return x;
  return writer.node(`${name}/Transpose`, "Transpose", [x], { perm: ints(perm) });
}
