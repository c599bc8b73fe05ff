import type { PrunableDimension } from "../dimensions/dimensions.ts";
import { EspalierError } from "../errors.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import { divisors } from "../model/divisors.ts";
import type { Model } from "../model/model.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { isCallOf } from "../operators/operator.ts";
import type { Collect } from "../pruning/strategy.ts";

/** What a criterion may look at. */
export interface ScoreRequest {
  readonly model: Model;
  readonly collect?: Collect;
}

/** Importance of the indices of a dimension: `outer` rows of `size` numbers; one row unless the dimension lies within another. */
export interface IndexScores {
  readonly dimension: PrunableDimension;
  readonly outer: number;
  readonly values: Float64Array;
}

/** Says how important weights, and the indices of dimensions, are. All numbers are ≥ 0; the smallest go first. */
export interface Criterion {
  readonly name: string;
  /** By tensor, one number an element. */
  weights(request: ScoreRequest, tensors: readonly string[]): Promise<ReadonlyMap<string, Float32Array>>;
  /** By dimension, one number an index, over all its members together. */
  indices(request: ScoreRequest, dimensions: readonly PrunableDimension[]): Promise<readonly IndexScores[]>;
  /** Importance of a whole dimension from its indices' numbers; their sum by default. */
  whole?(values: Float64Array): number;
  /**
   * The share of each tensor's weights to remove, for criteria that decide this themselves (WSAP); grows with `amount`.
   */
  shares?(model: Model, tensors: readonly string[], amount: number): ReadonlyMap<string, number>;
}

const prunable = new WeakMap<Graph, readonly string[]>();

/**
 * Trainable tensors with two or more axes, in graph order: what is pruned by default, not norms, biases or buffers. A scale
 * or bias of shape [1, 1, width] is one all the same, and what is divided by is left alone.
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

/** Values that matrix products read, or what they are laid out from. */
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
