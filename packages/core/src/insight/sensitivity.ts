import { layerOf } from "../accounting/layers.ts";
import { type Criterion, prunableTensors } from "../criteria/criterion.ts";
import { checkAmount, findCriterion } from "../criteria/index.ts";
import { liveValues } from "../graph/graph.ts";
import type { Model } from "../model/model.ts";
import { applySteps } from "../pruning/prune.ts";
import type { Collect } from "../pruning/strategy.ts";
import { maskWeakest, rankWeights } from "../pruning/weights.ts";

/** Which layers are tried, how far, and how the error is measured. */
export interface SensitivityRequest {
  readonly model: Model;
  /** Shares of a layer's weights to mask, each by itself. */
  readonly amounts: readonly number[];
  /** Which weights go first; `l1` by default. */
  readonly criterion?: string | Criterion;
  /** For criteria that look at data. */
  readonly collect?: Collect;
  /** The error of a model on evaluation data; injected, so that no backend is known here. */
  readonly evaluate: (model: Model) => Promise<number>;
  readonly signal?: AbortSignal;
  /** Told after each evaluation. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What pruning one layer alone does to the error. */
export interface Sensitivity {
  readonly criterion: string;
  readonly amounts: readonly number[];
  /** Error of the model as it is. */
  readonly error: number;
  readonly layers: readonly {
    readonly name: string;
    /** Its weights with two or more axes. */
    readonly weights: number;
    /** By amount. */
    readonly errors: readonly number[];
  }[];
}

/**
 * The error when each layer alone is pruned, the others left as they are: layers × amounts evaluations, and one more. Layers
 * no output depends on are left out. One-shot, without fine-tuning (as Han et al., NeurIPS 2015, choose their
 * thresholds). Throws an EspalierError for an amount outside [0, 1).
 */
export async function layerSensitivity(request: SensitivityRequest): Promise<Sensitivity> {
  const { model, amounts, evaluate, signal, onProgress } = request;
  for (const amount of amounts) checkAmount(amount);
  const criterion = findCriterion(request.criterion ?? "l1");
  const tensors = liveTensors(model);
  const scores = await criterion.weights(request, tensors);
  const layers = [...Map.groupBy(tensors, layerOf)];
  const total = 1 + layers.length * amounts.length;
  let done = 0;
  const errorOf = async (pruned: Model) => {
    signal?.throwIfAborted();
    const error = await evaluate(pruned);
    onProgress?.(++done, total);
    return error;
  };
  const error = await errorOf(model);
  const rows: Sensitivity["layers"][number][] = [];
  for (const [name, members] of layers) {
    const ranking = rankWeights(model, new Map(members.map((tensor) => [tensor, scores.get(tensor)!])));
    const errors: number[] = [];
    for (const amount of amounts) {
      const steps = maskWeakest(ranking, { amount, scope: "global", leastDensity: 0 });
      errors.push(await errorOf(applySteps(model, steps)));
    }
    const weights = members.reduce((n, tensor) => n + model.tensors.get(tensor)!.data.length, 0);
    rows.push({ name, weights, errors });
  }
  return { criterion: criterion.name, amounts, error, layers: rows };
}

function liveTensors(model: Model): string[] {
  const live = liveValues(model.graph);
  const prunable = new Set(prunableTensors(model));
  return model.graph.tensors.flatMap(({ name, value }) => (live[value] && prunable.has(name) ? [name] : []));
}
