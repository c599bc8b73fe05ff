import {
  type Criterion,
  checkAmount,
  criterionNames,
  findCriterion,
  isCriterion,
  maskWeakest,
  matchesAny,
  nothingToPrune,
  type PlanRequest,
  perModel,
  prunableTensors,
  rankWeights,
  type Strategy,
  type StrategyPlugin,
  type WeightRanking,
  writePlan,
} from "@espalier/core";
import { z } from "zod";

const schema = z.strictObject({
  criterion: z
    // Which names there are is core's to say, with the nearest one.
    .union([z.string(), z.custom<Criterion>(isCriterion)])
    .default("l1"),
  scope: z.enum(["local", "global", "isomorphic"]).default("global"),
  leastDensity: z.number().min(0).max(1).default(0.25),
  keep: z.array(z.string()).default([]),
  seed: z.int().default(0),
});

/**
 * - `criterion`: importance of a weight; by default `l1`, its magnitude. `wsap` also decides each tensor's share.
 * - `scope`: what is ranked together; `global` by default.
 * - `leastDensity`: no tensor keeps less than this share of the average density (0.25); 0 lets a layer be emptied.
 * - `keep`: tensors left alone, by name pattern (`*` for any text).
 * - `seed`: of `random`.
 */
export type UnstructuredOptions = z.input<typeof schema>;

/**
 * Masks single weights, lowest importance first, in tensors with two or more axes. `amount` is the share of those
 * weights. Global and local magnitude: Han et al., NeurIPS 2015; weight statistics: SEDIMARK.
 */
export function unstructured(options: UnstructuredOptions = {}): Strategy {
  const { criterion: chosen, scope, leastDensity, keep, seed } = schema.parse(options);
  const criterion = findCriterion(chosen, seed);
  const remembered = perModel<WeightRanking>();
  const ranking = (request: PlanRequest, tensors: readonly string[]) =>
    remembered(request.model, async () =>
      rankWeights(request.model, await criterion.weights(request, tensors)),
    );
  return {
    name: "unstructured",
    async plan(request) {
      const { model, amount } = request;
      checkAmount(amount);
      const tensors = prunableTensors(model).filter((name) => !matchesAny(keep, name));
      if (tensors.length === 0) return nothingToPrune(model, "unstructured", "weight", () => false);
      const shares = criterion.shares?.(model, tensors, amount);
      const steps = maskWeakest(model, await ranking(request, tensors), {
        amount,
        scope,
        leastDensity,
        ...(shares === undefined ? {} : { shares }),
      });
      return writePlan(model, "unstructured", steps);
    },
  };
}

export const plugin: StrategyPlugin = {
  name: "unstructured",
  description: "mask single weights by importance (magnitude by default)",
  options: {
    criterion: `importance: ${criterionNames.join(", ")} (l1)`,
    scope: "ranked together: local, global (the default) or isomorphic",
    leastDensity: "least density of a tensor, as a share of the average (0.25)",
    keep: "tensors left alone, by name pattern (* for any text)",
    seed: "seed of the criterion random (0)",
  },
  create: (options) => unstructured(options as UnstructuredOptions),
};
