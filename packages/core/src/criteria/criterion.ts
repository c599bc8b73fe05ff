import type { PrunableDimension } from "../dimensions/dimensions.ts";
import { EspalierError } from "../errors.ts";
import type { Model } from "../model/model.ts";
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

/** Trainable tensors with two or more axes, in graph order: what is pruned by default, not norms, biases or buffers. */
export function prunableTensors(model: Model): string[] {
  return model.graph.tensors.flatMap(({ name, role, value }) =>
    role === "trainable" && model.graph.values[value]!.shape.length >= 2 ? [name] : [],
  );
}

/** Values of a tensor; it must be float32. */
export function weightsOf(model: Model, name: string): Float32Array {
  const tensor = model.tensors.get(name);
  if (tensor === undefined) throw new EspalierError(`the model has no tensor "${name}".`);
  return tensor.data as Float32Array;
}
