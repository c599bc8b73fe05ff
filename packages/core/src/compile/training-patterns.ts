import type { ValueId } from "../graph/graph.ts";
import { adamInputs, adamOperator } from "../operators/adam.ts";
import { reshapeOperator, transposeOperator } from "../operators/layout.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { isCallOf } from "../operators/operator.ts";
import { dropoutTraining, randomUniformOperator } from "../operators/random.ts";
import type { LiveNode } from "./live-node.ts";
import {
  type AdamInPlace,
  type DropoutFactors,
  type DropoutProduct,
  type Match,
  type Pattern,
  single,
} from "./operations.ts";
import { shapeOf } from "./patterns.ts";
import type { Survey } from "./survey.ts";

/** Random numbers and the dropouts that read them: factors, drawn once, and a product each. */
export const dropout: Pattern<DropoutFactors | DropoutProduct> = {
  name: "dropout",
  root: randomUniformOperator,
  match(live, survey) {
    const [uniform] = live.node.outputs as [ValueId];
    const ratios = new Set<number>();
    const drops = survey.readers(uniform);
    for (const { node, inputs } of drops) {
      const reads = inputs[0] !== uniform && inputs[1] === uniform;
      if (!reads || !isCallOf(node, dropoutTraining)) return [];
      ratios.add(node.attributes.ratio);
    }
    const [ratio] = ratios;
    if (survey.leaves(uniform) || ratio === undefined || ratios.size > 1) return [];
    return [
      { operation: { kind: "dropoutFactors", ...live, ratio }, last: live.node },
      ...drops.map((drop): Match<DropoutProduct> => {
        return { operation: { kind: "dropoutProduct", ...drop }, last: drop.node };
      }),
    ];
  },
};

/** Adam that may write its results where its tensors are. */
export const adamInPlace: Pattern<AdamInPlace> = {
  name: "Adam in place",
  root: adamOperator,
  match(live, survey) {
    const { node, inputs } = live;
    const { parameter, gradient, m, v, mask } = adamInputs(inputs);
    const own = [parameter, m, v].map((value) => survey.tensor(value));
    if (!node.outputs.every((output, i) => own[i] !== undefined && survey.replaces(output) === own[i]))
      return [];
    const kept = mask === undefined ? undefined : survey.tensor(mask);
    const masked = kept === undefined || survey.changes(kept) ? undefined : gradientProduct(gradient, survey);
    if (masked === undefined) return [{ operation: { kind: "adam", ...live }, last: node }];
    const absorbed = [masked.product, ...masked.chain].map((one) => one.node);
    return [{ operation: { kind: "adam", ...live, masked }, last: node, absorbed }];
  },
};

/** The product of two matrices that a gradient is, up to its order of axes, if nothing else reads it. */
function gradientProduct(gradient: ValueId, survey: Survey) {
  const chain: LiveNode[] = [];
  for (let value = gradient; ; ) {
    const from = survey.producer(value);
    if (from === undefined || survey.onlyReader(value) === undefined) return undefined;
    if (isCallOf(from.node, matMulOperator)) {
      const flat = from.inputs.every((input) => shapeOf(survey, input).length === 2);
      return flat ? { product: single(from), chain: chain.map(single) } : undefined;
    }
    if (!isCallOf(from.node, transposeOperator) && !isCallOf(from.node, reshapeOperator)) return undefined;
    chain.unshift(from);
    value = from.inputs[0]!;
  }
}
