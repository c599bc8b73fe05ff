import { normalizeAxis, type Shape, sameShape } from "../graph/extent.ts";
import type { Node, ValueId } from "../graph/graph.ts";
import { addOperator, divOperator, mulOperator, subOperator } from "../operators/elementwise.ts";
import type { OperatorName } from "../operators/index.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { isCallOf, type Operator } from "../operators/operator.ts";
import { scaleOperator } from "../operators/scale.ts";
import { softmaxOperator } from "../operators/softmax.ts";
import type { LiveNode } from "./live-node.ts";
import type { Attention, Linear, Pattern } from "./operations.ts";
import type { Survey } from "./survey.ts";

type Any = Pick<Operator, "name">;
const namesOf = (list: readonly Any[]): ReadonlySet<string> => new Set(list.map(({ name }) => name));
/** The shape of a value of the surveyed graph. */
export const shapeOf = ({ graph }: Survey, value: ValueId): Shape => graph.values[value]!.shape;

const activationNames = ["Gelu", "Relu", "Elu", "Sigmoid", "Tanh"] satisfies OperatorName[];
const activations: ReadonlySet<string> = new Set(activationNames);

/** activation(x·W + bias) + residual: fuses the nodes that follow a product with a matrix. */
export const linear: Pattern<Linear> = {
  name: "linear layer",
  root: matMulOperator,
  match(live, survey, isFree) {
    const [x, weight] = live.inputs as [ValueId, ValueId];
    if (shapeOf(survey, weight).length !== 2) return [];
    const draft: { -readonly [K in keyof Linear]: Linear[K] } = {
      kind: "linear",
      node: live.node,
      x,
      weight,
      output: live.node.outputs[0]!,
    };
    const shape = shapeOf(survey, draft.output);
    const absorbed: Node[] = [];
    let last: Node = live.node;
    for (;;) {
      const next = survey.onlyReader(draft.output);
      if (next === undefined || !isFree(next.node)) break;
      if (isCallOf(next.node, addOperator)) {
        const other = next.inputs[0] === draft.output ? next.inputs[1]! : next.inputs[0]!;
        const added = shapeOf(survey, other);
        if (other === draft.output || draft.activation !== undefined || draft.residual !== undefined) break;
        if (draft.bias === undefined && added.length === 1 && added[0] === shape.at(-1)) draft.bias = other;
        else if (sameShape(added, shape)) draft.residual = other;
        else break;
      } else if (activations.has(next.node.operator.name)) {
        if (draft.activation !== undefined || draft.residual !== undefined) break;
        draft.activation = next.node;
      } else break;
      absorbed.push(last);
      last = next.node;
      draft.output = last.outputs[0]!;
    }
    return [{ operation: draft, last, absorbed }];
  },
};

/** Capabilities of a backend's attention kernel. */
export interface AttentionOptions {
  /** Whether the kernel supports a node between product and softmax. */
  takes(live: LiveNode): boolean;
  /** Whether the kernel supports an attention of these shapes. */
  fits(attention: Attention, shapeOf: (value: ValueId) => Shape): boolean;
}

/** Operators whose input may be computed by a product, rather than be added to a score. */
const arithmetic = namesOf([
  matMulOperator,
  scaleOperator,
  addOperator,
  mulOperator,
  subOperator,
  divOperator,
]);

/** softmax(f(q·k))·v, if nothing else reads the values in between: in evaluation, but not if gradients need them. */
export function attention({ takes, fits }: AttentionOptions): Pattern<Attention> {
  return {
    name: "attention",
    root: matMulOperator,
    match(live, survey) {
      const found = attentionAt(live, survey, takes);
      if (found === undefined || !fits(found, (value) => shapeOf(survey, value))) return [];
      return [{ operation: found, last: live.node, absorbed: found.absorbed }];
    },
  };
}

function attentionAt(
  live: LiveNode,
  survey: Survey,
  takes: AttentionOptions["takes"],
): Attention | undefined {
  const [weights, v] = live.inputs as [ValueId, ValueId];
  const softmax = survey.producer(weights);
  // The probabilities may be multiplied with themselves.
  if (softmax === undefined || survey.onlyReader(weights) === undefined || weights === v) return undefined;
  if (!isCallOf(softmax.node, softmaxOperator)) return undefined;
  const shape = shapeOf(survey, weights);
  if (normalizeAxis(softmax.node.attributes.axis, shape.length) !== shape.length - 1) return undefined;
  const between: LiveNode[] = [];
  for (let value = softmax.inputs[0]!; ; ) {
    const from = survey.producer(value);
    if (from === undefined || survey.onlyReader(value) === undefined) return undefined;
    if (isCallOf(from.node, matMulOperator)) {
      const [q, k] = from.inputs as [ValueId, ValueId];
      const absorbed = [from, ...between, softmax].map(({ node }) => node);
      const { node } = live;
      return { kind: "attention", node, q, k, v, between, output: node.outputs[0]!, absorbed };
    }
    if (!takes(from)) return undefined;
    const onward = from.inputs.filter(
      (input) =>
        sameShape(shapeOf(survey, input), shape) &&
        arithmetic.has(survey.producer(input)?.node.operator.name ?? ""),
    );
    if (onward.length !== 1) return undefined;
    between.unshift(from);
    value = onward[0]!;
  }
}
