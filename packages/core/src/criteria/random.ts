import { countElements } from "../graph/extent.ts";
import { randomStream } from "../operators/random.ts";
import type { Criterion } from "./criterion.ts";

/** Random importance from a seed: the baseline that every criterion has to beat. */
export function random(seed = 0): Criterion {
  return {
    name: "random",
    weights: async ({ model }, tensors) =>
      new Map(
        tensors.map((name) => {
          const next = randomStream(seed, name);
          return [name, Float32Array.from({ length: countElements(model.tensors.get(name)!.shape) }, next)];
        }),
      ),
    indices: async ({ model }, dimensions) =>
      dimensions.map((dimension) => {
        const next = randomStream(seed, dimension.name);
        const outer =
          dimension.within === undefined ? 1 : (model.dimensions.list[dimension.within]!.size as number);
        return { dimension, outer, values: Float64Array.from({ length: outer * dimension.size }, next) };
      }),
    // A sum would grow with the number of indices.
    whole: (values) => values[0]!,
  };
}
