import type { ValueId } from "../graph/graph.ts";
import { isCallOf } from "../operators/operator.ts";
import { dropoutOperator } from "../operators/random.ts";
import type { LiveNode } from "./survey.ts";

/** A rule that spares every backend a node: its outputs are values that are there anyway. */
export interface Rule {
  readonly name: string;
  /**
   * Begins with a graph. What it gives is asked about each live node, in order, its inputs as the rules have left them: the
   * values that its outputs are, or undefined where the rule does not apply.
   */
  begin(): (live: LiveNode) => readonly ValueId[] | undefined;
}

/** Dropout does nothing in evaluation; in a training graph it is another operator. */
export const withoutDropout: Rule = {
  name: "dropout of evaluation is its input",
  begin: () => (live) => (isCallOf(live.node, dropoutOperator) ? [live.inputs[0]!] : undefined),
};

/**
 * Operators are functions, the random ones too. A training graph repeats some: the weights of queries, keys and values each
 * want the same activations transposed, every sum over a branch reshapes the same gradient.
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

/** The rules that all backends apply. One added here is used by every backend that compiles graphs. */
export const rewritingRules: readonly Rule[] = [withoutDropout, equalNodesOnce];
