import type { Node, ValueId } from "../graph/graph.ts";
import type { Operator } from "../operators/operator.ts";
import type { LiveNode } from "./live-node.ts";
import type { Survey } from "./survey.ts";

/** A unit that becomes one or a few kernel calls: one node, or several that are fused. */
export type Operation = Single | Linear | Attention | AdamInPlace | DropoutFactors | DropoutProduct;

/** A node that no pattern has fused. */
export interface Single extends LiveNode {
  readonly kind: "node";
}

/** Random numbers that only dropouts of one ratio read, drawn as factors 0 and 1 ÷ (1 − ratio) to multiply with. */
export interface DropoutFactors extends LiveNode {
  readonly kind: "dropoutFactors";
  readonly ratio: number;
}

/** The product of a dropout's input and its factors. */
export interface DropoutProduct extends LiveNode {
  readonly kind: "dropoutProduct";
}

/** activation(x·W + bias) + residual, where W is a matrix. */
export interface Linear {
  readonly kind: "linear";
  /** The product, which messages and reports name. */
  readonly node: Node;
  readonly x: ValueId;
  readonly weight: ValueId;
  readonly bias?: ValueId;
  readonly activation?: Node;
  readonly residual?: ValueId;
  readonly output: ValueId;
}

/** softmax(f(q·k))·v, where f is element-wise and k […, C, S] is already transposed. */
export interface Attention {
  readonly kind: "attention";
  /** The final product. */
  readonly node: Node;
  readonly q: ValueId;
  readonly k: ValueId;
  readonly v: ValueId;
  /** f: the nodes between product and softmax, in order. */
  readonly between: readonly LiveNode[];
  readonly output: ValueId;
  /** All nodes of the fusion except the last. */
  readonly absorbed: readonly Node[];
}

/** Adam whose three results only replace its own three tensors, so that it can write them in place. */
export interface AdamInPlace extends LiveNode {
  readonly kind: "adam";
  /**
   * The product that computes the gradient, with the transposes and reshapes between, if the mask decides which
   * elements are needed.
   */
  readonly masked?: { readonly product: Single; readonly chain: readonly Single[] };
}

/** Nodes that run as one, at the position of the last; the others are skipped. */
export interface Match<O extends Operation = Operation> {
  readonly operation: O;
  readonly last: Node;
  readonly absorbed?: readonly Node[];
}

/** Recognises nodes that can run as one. */
export interface Pattern<O extends Operation = Operation> {
  readonly name: string;
  /** The operator that the search starts from. */
  readonly root: Pick<Operator, "name">;
  /** `isFree` tells whether no pattern has taken a node yet. */
  match(live: LiveNode, survey: Survey, isFree: (node: Node) => boolean): readonly Match<O>[];
}

/** The operation that a pattern produces. */
export type OperationOf<P extends Pattern> = P extends Pattern<infer O> ? O : never;

/** Groups the nodes of a graph into operations, in topological order. The first pattern that matches takes a node. */
export function findOperations<P extends Pattern>(
  survey: Survey,
  patterns: readonly P[],
): readonly (Single | OperationOf<P>)[] {
  const taken = new Map<Node, OperationOf<P> | undefined>();
  const isFree = (node: Node) => !taken.has(node);
  for (const { root, match } of patterns) {
    for (const live of survey.nodes) {
      if (live.node.operator.name !== root.name || !isFree(live.node)) continue;
      for (const { operation, last, absorbed = [] } of match(live, survey, isFree)) {
        for (const node of absorbed) taken.set(node, undefined);
        taken.set(last, operation as OperationOf<P>);
      }
    }
  }
  return survey.nodes.flatMap((live): (Single | OperationOf<P>)[] => {
    if (isFree(live.node)) return [single(live)];
    const operation = taken.get(live.node);
    return operation === undefined ? [] : [operation];
  });
}

/** A node as an operation of its own. */
export const single = (live: LiveNode): Single => ({ kind: "node", ...live });

/** The values an operation computes. */
export function outputsOf(operation: Operation): readonly ValueId[] {
  return "output" in operation ? [operation.output] : operation.node.outputs;
}
