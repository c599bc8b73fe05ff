import type { ValueId } from "../graph/graph.ts";
import { isCallOf } from "../operators/operator.ts";
import { dropoutOperator } from "../operators/random.ts";
import type { LiveNode } from "./live-node.ts";

/** A rule that removes nodes whose outputs are available as other values. */
export interface Rule {
  readonly name: string;
  /**
   * Begins with a graph and returns a function that is called with each live node in order, its inputs already
   * rewritten. That function returns the values that replace the node's outputs, or undefined if the rule does not
   * apply.
   */
  begin(): (live: LiveNode) => readonly ValueId[] | undefined;
}

/** Dropout does nothing in evaluation; a training graph uses another operator for it. */
export const withoutDropout: Rule = {
  name: "dropout of evaluation is its input",
  begin: () => (live) => (isCallOf(live.node, dropoutOperator) ? [live.inputs[0]!] : undefined),
};

/**
 * Operators are functions, including the random ones. A training graph repeats some: the weights of queries, keys and
 * values each need the same activations transposed, and every sum over a branch reshapes the same gradient.
 */
export const equalNodesOnce: Rule = {
  name: "equal nodes are computed once",
  begin() {
    const known = new Map<string, readonly ValueId[]>();
    return ({ node, inputs }) => {
      const key = JSON.stringify([node.operator.name, inputs, node.attributes]);
      const first = known.get(key);
      if (first === undefined) known.set(key, node.outputs);
      return first;
    };
  },
};

/** The rules that all backends apply. A rule that is added here takes effect in every backend that compiles graphs. */
export const rewritingRules: readonly Rule[] = [withoutDropout, equalNodesOnce];
