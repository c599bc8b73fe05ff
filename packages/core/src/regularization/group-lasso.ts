import { groupMembers, outerExtent } from "../criteria/groups.ts";
import type { PrunableDimension } from "../dimensions/dimensions.ts";
import type { Builder, Value } from "../graph/builder.ts";
import { countElements } from "../graph/extent.ts";
import { float32 } from "../graph/tensor.ts";
import type { Model } from "../model/model.ts";
import { reduceSum } from "../operators/broadcast.ts";
import { add, mul, sqrt } from "../operators/elementwise.ts";
import { reshape } from "../operators/layout.ts";
import { matMul } from "../operators/matmul.ts";

/** Added under the root, so that a group that is zero has the gradient zero. */
const epsilon = 1e-12;

/**
 * Draws Σ √n·‖w‖₂ over the groups of dimensions: w are the n weights, of tensors with two or more axes, that are
 * removed with an index (Yuan and Lin, 2006; Wen et al., NeurIPS 2016). As part of a loss it drives whole groups to
 * zero, so that they can be removed at little cost. `parameters` holds the drawing's values of the model's tensors.
 * Weights that belong to an index along two axes count twice. Undefined if there is no group.
 */
export function groupLasso(
  b: Builder,
  model: Model,
  dimensions: readonly PrunableDimension[],
  parameters: ReadonlyMap<string, Value>,
): Value | undefined {
  return dimensions.reduce<Value | undefined>((sum, dimension) => {
    const penalty = penaltyOf(b, model, dimension, parameters);
    if (penalty === undefined) return sum;
    return sum === undefined ? penalty : add(b, sum, penalty);
  }, undefined);
}

function penaltyOf(
  b: Builder,
  model: Model,
  dimension: PrunableDimension,
  parameters: ReadonlyMap<string, Value>,
): Value | undefined {
  const slots = outerExtent(model, dimension) * dimension.size;
  const sizes = new Float32Array(slots);
  let squares: Value | undefined;
  for (const { tensor, shape, axes } of groupMembers(model, dimension)) {
    const w = parameters.get(tensor);
    if (w === undefined) continue;
    axes.forEach((positions, axis) => {
      if (positions === undefined) return;
      const others = shape.flatMap((_, other) => (other === axis ? [] : [other]));
      const perPosition = reshape(b, reduceSum(b, mul(b, w, w), others), [shape[axis]!, 1]);
      const each = countElements(others.map((other) => shape[other]!));
      for (const slot of positions.flat()) sizes[slot]! += each;
      const name = `group_lasso.${dimension.name}.${tensor}.${axis}`;
      const part = perSlot(b, name, perPosition, positions, slots);
      squares = squares === undefined ? part : add(b, squares, part);
    });
  }
  if (squares === undefined) return undefined;
  const norms = sqrt(b, add(b, squares, b.constant(epsilon)));
  const weights = b.constant(float32([slots, 1], sizes.map(Math.sqrt)), `group_lasso.${dimension.name}`);
  return reduceSum(b, mul(b, norms, weights), [0, 1]);
}

/** Sums [positions, 1] over the positions of each slot: [slots, 1]. */
function perSlot(
  b: Builder,
  name: string,
  sums: Value,
  positions: readonly (readonly number[])[],
  slots: number,
): Value {
  const same = positions.length === slots && positions.every((own, i) => own.length === 1 && own[0] === i);
  if (same) return sums;
  const incidence = new Float32Array(slots * positions.length);
  positions.forEach((own, position) => {
    for (const slot of own) incidence[slot * positions.length + position] = 1;
  });
  return matMul(b, b.constant(float32([slots, positions.length], incidence), name), sums);
}
