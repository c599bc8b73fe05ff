import type { PrunableDimension } from "../dimensions/dimensions.ts";
import type { Model } from "../model/model.ts";
import type { Criterion, IndexScores } from "./criterion.ts";
import { groupSlices } from "./groups.ts";
import { l1 } from "./magnitude.ts";

/**
 * Distance from the other indices of the dimension: Σⱼ‖vᵢ − vⱼ‖ over their groups' weights v. The index closest to the
 * geometric median is the most replaceable, however large it is. He et al., CVPR 2019. Single weights have no such
 * distance; they are ranked by magnitude.
 */
export const geometricMedian: Criterion = {
  name: "geometric-median",
  weights: l1.weights,
  indices: async ({ model }, dimensions) => dimensions.map((dimension) => scoreDimension(model, dimension)),
};

function scoreDimension(model: Model, dimension: PrunableDimension): IndexScores {
  const { outer, vectors } = groupSlices(model, dimension);
  const { size } = dimension;
  const values = new Float64Array(outer * size);
  for (let row = 0; row < outer; row++) {
    const own = vectors.slice(row * size, (row + 1) * size);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < i; j++) {
        const between = distance(own[i]!, own[j]!);
        values[row * size + i]! += between;
        values[row * size + j]! += between;
      }
    }
  }
  return { dimension, outer, values };
}

function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k]! - b[k]!) ** 2;
  return Math.sqrt(sum);
}
