import type { Extent } from "../graph/extent.ts";
import type { Expression } from "./expression.ts";

/**
 * The role of a dimension, derived from the uses of its axes.
 * - `head`: outer factor of a split that is a batch axis of a product: attention heads.
 * - `query-key-channel`, `value-channel`: its inner factor, contracted by q·k or carried by v.
 * - `embedding`: takes part in a residual sum or a normalisation.
 * - `channel`: any other, such as feed-forward widths.
 */
export type DimensionKind = "head" | "query-key-channel" | "value-channel" | "embedding" | "channel";

/** One place where a dimension occurs in a tensor. */
export interface Member {
  readonly tensor: string;
  readonly axis: number;
  /** The occurrence within the axis's expression, counted from 0. */
  readonly place: number;
}

/** A dimension that several axes of values and tensors share: removing one of its indices removes a slice of each. */
export interface Dimension {
  /** First trainable member, in graph order: `….value_projection.weight[0].1`. Stable under pruning and saving. */
  readonly name: string;
  readonly size: Extent;
  readonly kind: DimensionKind;
  /** The reason why nothing can be removed from it; absent for prunable dimensions. */
  readonly fixed?: string;
  readonly members: readonly Member[];
  /** Number of the dimension that it only occurs together with; its indices may then differ for each index of that one. */
  readonly within?: number;
  /**
   * Indices in the unpruned model of those that are left: one list, or one per index of `within`. Absent if none were
   * removed.
   */
  readonly original?: readonly number[] | readonly (readonly number[])[];
  /** Size in the unpruned model. Absent if nothing was removed. */
  readonly originalSize?: number;
}

/** The dimensions of a graph, and the composition of every axis of every value. */
export interface Dimensions {
  readonly list: readonly Dimension[];
  /** By value, by axis. Numbers in expressions index `list`. */
  readonly axes: readonly (readonly Expression[])[];
}

/** A dimension from which indices can be removed, with its number. */
export interface PrunableDimension extends Dimension {
  readonly number: number;
  readonly size: number;
}

/** The dimensions from which indices can be removed, in graph order. */
export function prunableDimensions(dimensions: Dimensions): PrunableDimension[] {
  return dimensions.list.flatMap((dimension, number) =>
    dimension.fixed === undefined && typeof dimension.size === "number" && dimension.size > 0
      ? [{ ...dimension, size: dimension.size, number }]
      : [],
  );
}
