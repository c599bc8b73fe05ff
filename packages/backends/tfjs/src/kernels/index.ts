import { elementwise } from "./elementwise.ts";
import { fourier } from "./fourier.ts";
import { indexing } from "./indexing.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";
import { normalization } from "./normalization.ts";
import { pooling } from "./pooling.ts";
import { products } from "./products.ts";
import { training } from "./training.ts";

/** How TensorFlow.js computes each operator. Dropout is not among them: in evaluation it is nothing. */
export const kernels: ReadonlyMap<string, Kernel> = new Map(
  Object.entries({
    ...elementwise,
    ...products,
    ...layout,
    ...indexing,
    ...pooling,
    ...fourier,
    ...normalization,
    ...training,
  }),
);
