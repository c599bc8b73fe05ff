import type { Tensors } from "../backend.ts";
import type { Graph } from "../graph/graph.ts";
import type { Model } from "../model/model.ts";
import type { PruningPlan } from "./plan.ts";

/** A graph to be run over calibration data. It may ask for the model's inputs, and for `target`: the future values. */
export interface Collection {
  readonly graph: Graph;
  /** All tensors of the graph. */
  readonly tensors: Tensors;
  /** Graph outputs to sum over the batches, which come one after the other: what the graph updates stays so for the next. */
  readonly outputs: readonly string[];
  /** How many batches it takes; what is usual for calibration where it does not matter. */
  readonly batches?: number;
}

/**
 * Runs a graph over calibration batches and gives the sums of its outputs. Injected by the caller, so that neither
 * criterion nor strategy knows a backend or a data set.
 */
export type Collect = (collection: Collection) => Promise<Tensors>;

/** What a strategy is asked for. */
export interface PlanRequest {
  readonly model: Model;
  /** Share of what the strategy may remove, in [0, 1): unstructured, of the weights; structured, of each dimension's indices. */
  readonly amount: number;
  /** Needed by criteria that look at data; they say so where it is missing. */
  readonly collect?: Collect;
  readonly signal?: AbortSignal;
}

/** Looks at a model and writes down what should go. Decides, never edits; knows no backend. A larger amount never removes less. */
export interface Strategy {
  readonly name: string;
  /** What should go. Throws an EspalierError for an amount outside [0, 1), or where its criterion misses data. */
  plan(request: PlanRequest): Promise<PruningPlan>;
}
