import { elementwise } from "./elementwise.ts";
import type { Emit, Emits } from "./kernel.ts";
import { layout } from "./layout.ts";
import { normalization } from "./normalization.ts";
import { pooling } from "./pooling.ts";
import { emitProduct } from "./products.ts";
import { ranking } from "./ranking.ts";
import { recurrence } from "./recurrence.ts";
import { training } from "./training.ts";
import { transforms } from "./transforms.ts";

/** How each operator becomes calls of kernels. Dropout is not among them: in evaluation it is nothing. */
export const emits: ReadonlyMap<string, Emit> = new Map(
  Object.entries({
    ...elementwise,
    ...layout,
    ...normalization,
    ...pooling,
    ...ranking,
    ...recurrence,
    ...training,
    ...transforms,
    MatMul: emitProduct,
  } satisfies Emits),
) as ReadonlyMap<string, Emit>;
