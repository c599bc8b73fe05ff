import type { Attributes, ValueId } from "../graph/graph.ts";
import type { CallOf } from "../operators/operator.ts";

/** A node that some output or update depends on, with its inputs rewritten by rules. */
export interface LiveNode<A extends Attributes = Attributes> {
  readonly node: CallOf<A>;
  readonly inputs: readonly ValueId[];
}
