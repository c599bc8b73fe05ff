import type { Dimension } from "../dimensions/dimensions.ts";
import { digest, type Model } from "../model/model.ts";
import type { Expected, PruningPlan, Step } from "./plan.ts";
import { expectedAfter } from "./prune.ts";

/** Creates a plan from steps: names its model, and gives the counts it leads to (both are computed on first access). */
export function writePlan(
  model: Model,
  strategy: string,
  steps: readonly Step[],
  notes: readonly string[] = [],
): PruningPlan {
  let expected: Expected | undefined;
  return {
    format: 1,
    strategy,
    // Both take longer than planning itself, and nobody reads them of the intermediate plans of a sequence.
    get base() {
      return digest(model);
    },
    steps,
    get expected() {
      expected ??= expectedAfter(model, steps);
      return expected;
    },
    notes,
  };
}

/** An empty plan that says why: the model has nothing of the requested kind to remove. */
export function nothingToPrune(
  model: Model,
  strategy: string,
  what: string,
  candidates: (dimension: Dimension) => boolean,
): PruningPlan {
  const trainable = new Set(
    model.graph.tensors.flatMap(({ name, role }) => (role === "trainable" ? [name] : [])),
  );
  const reasons = new Set(
    model.dimensions.list.flatMap((d) => {
      const weighs = d.members.some(({ tensor }) => trainable.has(tensor));
      return d.fixed !== undefined && weighs && candidates(d) ? [`${d.name}: ${d.fixed}`] : [];
    }),
  );
  const why = reasons.size === 0 ? ["the model has none"] : [...reasons];
  return writePlan(model, strategy, [], [`no ${what} can be removed: ${why.slice(0, 12).join("; ")}`]);
}
