import { perModel } from "../model/per-model.ts";
import { type Criterion, type ScoreRequest, weightsOf } from "./criterion.ts";
import { groupSums } from "./groups.ts";
import { lossGradients } from "./loss-gradients.ts";

/**
 * First-order Taylor expansion of the loss: |g·w| for a weight, |Σ g·w| for a group. g is the gradient of the squared
 * error, summed over calibration batches. Molchanov et al., CVPR 2019.
 */
export function taylor(): Criterion {
  const remembered = perModel<ReadonlyMap<string, Float32Array>>();
  const products = (request: ScoreRequest) => remembered(request.model, () => gradientProducts(request));
  return {
    name: "taylor",
    async weights(request, tensors) {
      const all = await products(request);
      return new Map(tensors.map((name) => [name, all.get(name)!.map(Math.abs)]));
    },
    async indices(request, dimensions) {
      const all = await products(request);
      const sums = await groupSums(request.model, dimensions, async () => all);
      return sums.map((scores) => ({ ...scores, values: scores.values.map(Math.abs) }));
    },
  };
}

/** g·w for every trainable tensor; zero for those that the loss does not depend on. */
async function gradientProducts(request: ScoreRequest): Promise<ReadonlyMap<string, Float32Array>> {
  const { model } = request;
  const gradients = await lossGradients(request, "gradient", "taylor");
  return new Map(
    model.graph.tensors.flatMap(({ name, role }) => {
      if (role !== "trainable") return [];
      const weights = weightsOf(model, name);
      const g = gradients.get(name);
      const product = g === undefined ? new Float32Array(weights.length) : weights.map((w, i) => w * g[i]!);
      return [[name, product] as const];
    }),
  );
}
