import type { Tensors } from "../backend.ts";
import type { Graph } from "../graph/graph.ts";
import type { Model } from "../model/model.ts";
import type { PruningPlan } from "./plan.ts";

/**
 * Runs a graph over calibration data and gives the sums of the outputs named. Graphs may ask for the model's inputs and
 * for `target`, the future values, in the shape of the model's output. Given by the caller, so that neither criterion
 * nor strategy knows a backend or a data set.
 */
export type Collect = (graph: Graph, outputs: readonly string[]) => Promise<Tensors>;

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
  plan(request: PlanRequest): Promise<PruningPlan>;
}
