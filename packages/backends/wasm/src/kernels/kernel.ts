import type { Attributes, Node, ValueId } from "@espalier/core";
import type { Emitter } from "../compile/emitter.ts";

/** One node on its way into a plan. */
export interface NodeCall {
  readonly node: Node;
  /** Its inputs, dropout of evaluation taken out. */
  readonly inputs: readonly ValueId[];
  readonly attributes: Attributes;
}

/** Makes the calls that compute a node's outputs, or only other views of its inputs. */
export type Emit = (e: Emitter, call: NodeCall) => void;
export type Emits = Readonly<Record<string, Emit>>;
