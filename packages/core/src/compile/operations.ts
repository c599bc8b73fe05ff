import type { Node, ValueId } from "../graph/graph.ts";
import type { Operator } from "../operators/operator.ts";
import type { LiveNode, Survey } from "./survey.ts";

/** What becomes one or a few kernel calls: a node, or several that run as one. */
export type Operation = Single | Linear | Attention | AdamInPlace | DropoutFactors | DropoutProduct;

/** A node that no pattern took in. */
export interface Single extends LiveNode {
  readonly kind: "node";
}

/** Random numbers that only dropouts of one ratio read, drawn as the factors 0 and 1 ÷ (1 − ratio) that they multiply with. */
export interface DropoutFactors extends LiveNode {
  readonly kind: "dropoutFactors";
  readonly ratio: number;
}

/** What a dropout does with its factors. */
export interface DropoutProduct extends LiveNode {
  readonly kind: "dropoutProduct";
}

/** activation(x·W + bias) + residual, W a matrix. */
export interface Linear {
  readonly kind: "linear";
  /** The product; messages and reports name it. */
  readonly node: Node;
  readonly x: ValueId;
  readonly weight: ValueId;
  readonly bias?: ValueId;
  readonly activation?: Node;
  readonly residual?: ValueId;
  readonly output: ValueId;
}

/** softmax(f(q·k))·v, where f is element by element, and k […, C, S] transposed already. */
export interface Attention {
  readonly kind: "attention";
  /** The product that ends it. */
  readonly node: Node;
  readonly q: ValueId;
  readonly k: ValueId;
  readonly v: ValueId;
  /** f: the nodes between product and softmax, in order. */
  readonly between: readonly LiveNode[];
  readonly output: ValueId;
  /** All nodes it takes in, but the last. */
  readonly absorbed: readonly Node[];
}

/** Adam whose three results only replace its own three tensors, so that it may write them where they are. */
export interface AdamInPlace extends LiveNode {
  readonly kind: "adam";
  /** The product the gradient comes from, and the transposes and reshapes between, where the mask decides what is needed of it. */
  readonly masked?: { readonly product: Single; readonly chain: readonly Single[] };
}

/** Nodes that run as one: in the place of the last, the others being spared. */
export interface Match<O extends Operation = Operation> {
  readonly operation: O;
  readonly last: Node;
  readonly absorbed?: readonly Node[];
}

/** What nodes that run as one look like. */
export interface Pattern<O extends Operation = Operation> {
  readonly name: string;
  /** The operator that the search starts from. */
  readonly root: Pick<Operator, "name">;
  /** `isFree`: no pattern has taken the node yet. */
  match(live: LiveNode, survey: Survey, isFree: (node: Node) => boolean): readonly Match<O>[];
}

/** What a pattern makes of nodes. */
export type OperationOf<P extends Pattern> = P extends Pattern<infer O> ? O : never;

/** The nodes of a graph as operations, in an order in which every input comes first. The first pattern that fits takes a node. */
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
