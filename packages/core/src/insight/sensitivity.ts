import { layerOf } from "../accounting/layers.ts";
import { type Criterion, prunableTensors } from "../criteria/criterion.ts";
import { checkAmount, findCriterion } from "../criteria/index.ts";
import { liveValues } from "../graph/graph.ts";
import type { Model } from "../model/model.ts";
import { applySteps } from "../pruning/prune.ts";
import type { Collect } from "../pruning/strategy.ts";
import { maskWeakest, rankWeights } from "../pruning/weights.ts";

/** Options of a sensitivity analysis. */
export interface SensitivityRequest {
  readonly model: Model;
  /** Shares of a layer's weights to mask, each tried by itself. */
  readonly amounts: readonly number[];
  /** Decides which weights are masked first; `l1` by default. */
  readonly criterion?: string | Criterion;
  /** Needed by criteria that use data. */
  readonly collect?: Collect;
  /** Returns the error of a model on evaluation data; injected, so that core needs no backend. */
  readonly evaluate: (model: Model) => Promise<number>;
  readonly signal?: AbortSignal;
  /** Called after each evaluation. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The effect of pruning one layer alone on the error. */
export interface Sensitivity {
  readonly criterion: string;
  readonly amounts: readonly number[];
  /** Error of the unchanged model. */
  readonly error: number;
  readonly layers: readonly {
    readonly name: string;
    /** Number of its weights in tensors with two or more axes. */
    readonly weights: number;
    /** By amount. */
    readonly errors: readonly number[];
  }[];
}

/**
 * Measures the error when one layer at a time is pruned: layers × amounts evaluations, plus one. Layers that no output
 * depends on are left out. One-shot, without fine-tuning (like the thresholds of Han et al., NeurIPS 2015). Throws an
 * EspalierError for an amount outside [0, 1).
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
