import type { PrunableDimension } from "../dimensions/dimensions.ts";
import { EspalierError } from "../errors.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import { divisors } from "../model/divisors.ts";
import type { Model } from "../model/model.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { isCallOf } from "../operators/operator.ts";
import type { Collect } from "../pruning/strategy.ts";

/** Input of a criterion. */
export interface ScoreRequest {
  readonly model: Model;
  readonly collect?: Collect;
}

/**
 * Importance of the indices of a dimension: `outer` rows of `size` numbers. There is one row unless the dimension lies
 * within another.
 */
export interface IndexScores {
  readonly dimension: PrunableDimension;
  readonly outer: number;
  readonly values: Float64Array;
}

/** Scores the importance of weights and of the indices of dimensions. All scores are ≥ 0; the smallest are removed first. */
export interface Criterion {
  readonly name: string;
  /** Scores by tensor, one per element. */
  weights(request: ScoreRequest, tensors: readonly string[]): Promise<ReadonlyMap<string, Float32Array>>;
  /** Scores by dimension, one per index, summed over all members. */
  indices(request: ScoreRequest, dimensions: readonly PrunableDimension[]): Promise<readonly IndexScores[]>;
  /** Importance of a whole dimension from the scores of its indices; by default their sum. */
  whole?(values: Float64Array): number;
  /**
   * The share of each tensor's weights to remove, for criteria that decide this themselves (WSAP); grows with `amount`.
   */
  shares?(model: Model, tensors: readonly string[], amount: number): ReadonlyMap<string, number>;
}

const prunable = new WeakMap<Graph, readonly string[]>();

/**
 * The tensors that are pruned by default, in graph order: trainable, with two or more axes; no norms, biases or
 * buffers. A scale or bias of shape [1, 1, width] does not count as one either, and divisors are left alone.
 */
export function prunableTensors(model: Model): string[] {
  const { graph } = model;
  const known = prunable.get(graph) ?? weightNames(model);
  prunable.set(graph, known);
  return [...known];
}

function weightNames(model: Model): string[] {
  const { tensors, values } = model.graph;
  const divide = divisors(model);
  const factors = productFactors(model.graph);
  return tensors.flatMap(({ name, role, value }) => {
    const { shape } = values[value]!;
    const long = shape.filter((extent) => extent !== 1).length;
    const weight = shape.length >= 2 && (long >= 2 || factors.has(value));
    return role === "trainable" && weight && !divide.has(name) ? [name] : [];
  });
}

/** Values that matrix products read, or that such values are laid out from. */
function productFactors({ nodes }: Graph): ReadonlySet<ValueId> {
  const factors = new Set<ValueId>();
  for (const node of nodes.toReversed()) {
    const { operator, inputs, outputs } = node;
    const laidOut = operator.rearranges !== undefined && outputs.some((value) => factors.has(value));
    if (laidOut || isCallOf(node, matMulOperator)) for (const value of inputs) factors.add(value);
  }
  return factors;
}

/** Values of a tensor; it must be float32. */
export function weightsOf(model: Model, name: string): Float32Array {
  const tensor = model.tensors.get(name);
  if (tensor === undefined) throw new EspalierError(`the model has no tensor "${name}".`);
  return tensor.data as Float32Array;
}
