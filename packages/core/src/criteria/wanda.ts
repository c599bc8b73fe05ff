import { Builder } from "../graph/builder.ts";
import { countElements } from "../graph/extent.ts";
import type { Model } from "../model/model.ts";
import { perModel } from "../model/per-model.ts";
import { type TensorProduct, tensorProducts } from "../model/products.ts";
import { reduceMean } from "../operators/broadcast.ts";
import { mul } from "../operators/elementwise.ts";
import { type Criterion, prunableTensors, type ScoreRequest, weightsOf } from "./criterion.ts";
import { groupSums } from "./groups.ts";
import { needData } from "./loss-gradients.ts";

/**
 * Weights and activations: |w| × the root mean square of the input it is multiplied with, over calibration batches; for
 * a group, the sum. The paper compares the weights of one output (scope `row`). Sun et al., ICLR
 * 2024. Tensors that no product contracts (tables) are scored as if their input were 1.
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

async function weightedMagnitudes({
  model,
  collect,
}: ScoreRequest): Promise<ReadonlyMap<string, Float32Array>> {
  const uses = inputsOfTensors(model);
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
      const inputOf = positionAlong(model.tensors.get(name)!.shape, first.inputs);
      return [name, weights.map((w, i) => Math.abs(w) * norms[inputOf(i)]!)] as const;
    }),
  );
}

/** Products of prunable tensors with data; for a tensor that is contracted along different axes, those like the first. */
function inputsOfTensors(model: Model): TensorProduct[] {
  const prunable = new Set(prunableTensors(model));
  const inputs = new Map<string, string>();
  return tensorProducts(model.graph).filter((product) => {
    const { tensor, byData } = product;
    if (!byData || !prunable.has(tensor)) return false;
    const axes = product.inputs.join();
    if (!inputs.has(tensor)) inputs.set(tensor, axes);
    return inputs.get(tensor) === axes;
  });
}

/** The position of an element along some axes, flattened in their order. */
function positionAlong(shape: readonly number[], axes: readonly number[]): (element: number) => number {
  const steps = axes.map((axis) => ({ step: countElements(shape.slice(axis + 1)), extent: shape[axis]! }));
  return (element) =>
    steps.reduce((at, { step, extent }) => at * extent + (Math.floor(element / step) % extent), 0);
}

function outputName(use: number): string {
  return `square:${use}`;
}

/** The evaluation graph with the mean squares of each product's input as outputs. */
function squaresGraph(model: Model, uses: readonly TensorProduct[]) {
  const b = Builder.create(model.graph);
  const outputs = uses.map(({ other, otherAxis }, i) => {
    const x = b.value(other);
    const others = x.shape.flatMap((_, axis) => (axis === otherAxis ? [] : [axis]));
    b.output(outputName(i), reduceMean(b, mul(b, x, x), others));
    return outputName(i);
  });
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...model.tensors, ...data]), outputs };
}
