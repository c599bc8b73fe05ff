import { Builder } from "../graph/builder.ts";
import { countElements } from "../graph/extent.ts";
import { dataValues, isLive, liveValues, type Node, producers, type ValueId } from "../graph/graph.ts";
import type { Model } from "../model/model.ts";
import { perModel } from "../model/per-model.ts";
import { reduceMean } from "../operators/broadcast.ts";
import { mul } from "../operators/elementwise.ts";
import { type PermutationAttributes, transposeOperator } from "../operators/layout.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { type Criterion, prunableTensors, type ScoreRequest, weightsOf } from "./criterion.ts";
import { groupSums } from "./groups.ts";
import { needData } from "./loss-gradients.ts";

/**
 * Weights and activations: |w| × the root mean square of the input it is multiplied with, over calibration batches; of a
 * group, the sum. Its paper compares the weights of one output (scope `row`). Sun et al., ICLR 2024. Tensors that no
 * product contracts (tables) count as if their input were 1.
 */
export function wanda(): Criterion {
  const remembered = perModel<ReadonlyMap<string, Float32Array>>();
  const scores = (request: ScoreRequest) => remembered(request.model, () => weightedMagnitudes(request));
  return {
    name: "wanda",
    async weights(request, tensors) {
      const all = await scores(request);
      return new Map(tensors.map((name) => [name, all.get(name)!]));
    },
    async indices(request, dimensions) {
      const all = await scores(request);
      return groupSums(request.model, dimensions, async () => all);
    },
  };
}

/** One product of a tensor with data: what it multiplies, and the tensor's axis that is contracted. */
interface Use {
  readonly tensor: string;
  readonly axis: number;
  readonly data: ValueId;
  /** Axis of the data that is contracted. */
  readonly dataAxis: number;
}

async function weightedMagnitudes({
  model,
  collect,
}: ScoreRequest): Promise<ReadonlyMap<string, Float32Array>> {
  const uses = productsOf(model);
  const squares = await needData(collect, "wanda")(squaresGraph(model, uses));
  return new Map(
    prunableTensors(model).map((name) => {
      const weights = weightsOf(model, name);
      const own = uses.flatMap((use, i) =>
        use.tensor === name ? [{ ...use, mean: squares.get(outputName(i))!.data }] : [],
      );
      const [first] = own;
      if (first === undefined) return [name, weights.map(Math.abs)] as const;
      const norms = Float64Array.from(first.mean, (_, k) =>
        Math.sqrt(own.reduce((sum, { mean }) => sum + mean[k]!, 0)),
      );
      const { shape } = model.tensors.get(name)!;
      const inner = countElements(shape.slice(first.axis + 1));
      const extent = shape[first.axis]!;
      return [name, weights.map((w, i) => Math.abs(w) * norms[Math.floor(i / inner) % extent]!)] as const;
    }),
  );
}

function outputName(use: number): string {
  return `square:${use}`;
}

/** The evaluation graph with the mean squares of each product's input as outputs. */
function squaresGraph(model: Model, uses: readonly Use[]) {
  const b = Builder.create(model.graph);
  const outputs = uses.map(({ data, dataAxis }, i) => {
    const x = b.value(data);
    const others = x.shape.flatMap((_, axis) => (axis === dataAxis ? [] : [axis]));
    b.output(outputName(i), reduceMean(b, mul(b, x, x), others));
    return outputName(i);
  });
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...model.tensors, ...data]), outputs };
}

/** Where live products multiply data with a prunable tensor, transposed or not. */
function productsOf(model: Model): Use[] {
  const { graph } = model;
  const live = liveValues(graph);
  const data = dataValues(graph);
  const producer = producers(graph);
  const prunable = new Set(prunableTensors(model));
  const names = new Map(graph.tensors.map(({ name, value }) => [value, name]));
  const axes = new Map<string, number>();
  return graph.nodes.flatMap((node): Use[] => {
    if (node.operator.name !== matMulOperator.name || !isLive(node, live)) return [];
    return [0, 1].flatMap((side) => {
      const [weight, other] = [node.inputs[side]!, node.inputs[1 - side]!];
      if (data[weight] || !data[other]) return [];
      const rank = (value: ValueId) => graph.values[value]!.shape.length;
      const source = throughTransposes(weight, rank(weight) - (side === 0 ? 1 : 2), producer);
      const tensor = names.get(source.value);
      if (tensor === undefined || !prunable.has(tensor)) return [];
      // A tensor that is contracted along different axes has no one input.
      if ((axes.get(tensor) ?? source.axis) !== source.axis) return [];
      axes.set(tensor, source.axis);
      return [{ tensor, axis: source.axis, data: other, dataAxis: rank(other) - (side === 0 ? 2 : 1) }];
    });
  });
}

function throughTransposes(value: ValueId, axis: number, producer: readonly (Node | undefined)[]) {
  let at = { value, axis };
  for (
    let node = producer[at.value];
    node?.operator.name === transposeOperator.name;
    node = producer[at.value]
  ) {
    const { perm } = node.attributes as PermutationAttributes;
    at = { value: node.inputs[0]!, axis: perm[at.axis]! };
  }
  return at;
}
