import type { Pattern } from "@espalier/core/compile/inference";
import type { Attributes, AttributesNamed, Node, OperatorName, ValueId } from "@espalier/core/inference";
import type { Emitter } from "../compile/emitter.ts";

/** One node on its way into a plan. */
export interface NodeCall<A extends Attributes = Attributes> {
  readonly node: Node;
  /** Its inputs, dropout of evaluation taken out. */
  readonly inputs: readonly ValueId[];
  readonly attributes: A;
}

/** Makes the calls that compute a node's outputs, or only other views of its inputs. */
export type Emit<A extends Attributes = Attributes> = (e: Emitter, call: NodeCall<A>) => void;
/** Emits by the operators they are for, whose attributes they are given. */
export type Emits = { readonly [N in OperatorName]?: Emit<AttributesNamed<N>> };

/** Translation of a graph's operations to calls of kernels. */
export interface KernelSet {
  /** By operator. Dropout is not among them: in evaluation it is nothing. */
  readonly emits: ReadonlyMap<string, Emit>;
  /** Patterns of fused operations; the first that matches a node applies. */
  readonly patterns: readonly Pattern[];
  /** Operations of training; those of a forecast's graph need none of it. */
  readonly training?: typeof import("./others.ts")["training"];
}
