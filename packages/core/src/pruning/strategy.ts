import type { Tensors } from "../backend.ts";
import type { Graph } from "../graph/graph.ts";
import type { Model } from "../model/model.ts";
import type { PruningPlan } from "./plan.ts";

/** A graph to run over calibration data. It may read the model's inputs, and `target`: the future values. */
export interface Collection {
  readonly graph: Graph;
  /** All tensors of the graph. */
  readonly tensors: Tensors;
  /** Graph outputs to sum over the batches. Batches run one after the other: updates of the graph carry over to the next. */
  readonly outputs: readonly string[];
  /** Number of batches; by default the usual number for calibration. */
  readonly batches?: number;
}

/**
 * Runs a graph over calibration batches and returns the sums of its outputs. Injected by the caller, so that criteria
 * and strategies need no backend and no data set.
 */
export type Collect = (collection: Collection) => Promise<Tensors>;

/** Input of a strategy. */
export interface PlanRequest {
  readonly model: Model;
  /**
   * Share of what the strategy may remove, in [0, 1): for unstructured pruning, of the weights; for structured pruning,
   * of each dimension's indices.
   */
  readonly amount: number;
  /** Needed by criteria that use data, which throw if it is missing. */
  readonly collect?: Collect;
  readonly signal?: AbortSignal;
}

/** Looks at a model and writes a plan. It never edits the model and needs no backend. A larger amount never removes less. */
export interface Strategy {
  readonly name: string;
  /** Returns the plan. Throws an EspalierError for an amount outside [0, 1), or if its criterion lacks data. */
  plan(request: PlanRequest): Promise<PruningPlan>;
}
