import { perModel } from "../model/per-model.ts";
import { type Criterion, type ScoreRequest, weightsOf } from "./criterion.ts";
import { groupSums } from "./groups.ts";
import { lossGradients } from "./loss-gradients.ts";

/**
 * Second-order importance with a diagonal Hessian: ½·w²·h of a weight, summed over a group. h is the empirical Fisher
 * information, the squared gradient summed over calibration batches. Optimal Brain Damage (LeCun et al., NeurIPS 1989)
 * with the Fisher approximation of Theis et al., 2018. Smaller calibration batches make h more exact.
 */
export function fisher(): Criterion {
  const remembered = perModel<ReadonlyMap<string, Float32Array>>();
  const damage = (request: ScoreRequest) => remembered(request.model, () => expectedDamage(request));
  return {
    name: "fisher",
    async weights(request, tensors) {
      const all = await damage(request);
      return new Map(tensors.map((name) => [name, all.get(name)!]));
    },
    async indices(request, dimensions) {
      const all = await damage(request);
      return groupSums(request.model, dimensions, async () => all);
    },
  };
}

/** ½·w²·h for every trainable tensor; zero for those that the loss does not depend on. */
async function expectedDamage(request: ScoreRequest): Promise<ReadonlyMap<string, Float32Array>> {
  const { model } = request;
  const information = await lossGradients(request, "square", "fisher");
  return new Map(
    model.graph.tensors.flatMap(({ name, role }) => {
      if (role !== "trainable") return [];
      const weights = weightsOf(model, name);
      const h = information.get(name);
      const damage =
        h === undefined ? new Float32Array(weights.length) : weights.map((w, i) => 0.5 * w * w * h[i]!);
      return [[name, damage] as const];
    }),
  );
}
