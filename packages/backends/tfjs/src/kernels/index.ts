import type { RandomAttributes } from "@espalier/core/graph";
import type { Kind } from "../options.ts";

import { deviceIndexing } from "./device/indexing.ts";
import { deviceLayout } from "./device/layout.ts";
import { devicePooling } from "./device/pooling.ts";
import { deviceDropoutMask, deviceTraining } from "./device/training.ts";
import { elementwise } from "./elementwise.ts";
import { fourier } from "./fourier.ts";
import { indexing } from "./indexing.ts";
import { type Kernel, kernelsByName } from "./kernel.ts";
import { layout } from "./layout.ts";
import { normalization } from "./normalization.ts";
import { pooling } from "./pooling.ts";
import { products } from "./products.ts";
import { recurrence } from "./recurrence.ts";
import { dropoutMask, training } from "./training.ts";

/** How TensorFlow.js computes each operator. Dropout is not among them: in evaluation it is nothing. */
export interface KernelSet {
  readonly kernels: ReadonlyMap<string, Kernel>;
  /** RandomUniform, where only dropouts of one ratio read it: the factors they multiply with. */
  readonly dropoutMask: (ratio: number) => Kernel<RandomAttributes>;
}

const shared = { ...elementwise, ...products, ...fourier, ...normalization, ...recurrence };

/** If data is in this process's memory, loops over it beat TensorFlow.js in many places. */
const inMemory: KernelSet = {
  kernels: kernelsByName({ ...shared, ...layout, ...indexing, ...pooling, ...training }),
  dropoutMask,
};

/** If data is on a device, nothing may be read back during a run: slow in a page, impossible in Node. */
const onDevice: KernelSet = {
  kernels: kernelsByName({
    ...shared,
    ...deviceLayout,
    ...deviceIndexing,
    ...devicePooling,
    ...deviceTraining,
  }),
  dropoutMask: deviceDropoutMask,
};

/** libtensorflow moves elements faster than loops over copies of its memory; what it lacks is computed on copies. */
const native: KernelSet = {
  kernels: kernelsByName({ ...shared, ...deviceLayout, ...indexing, ...pooling, ...training }),
  dropoutMask,
};

const sets: Readonly<Record<Kind, KernelSet>> = {
  cpu: inMemory,
  wasm: inMemory,
  webgpu: onDevice,
  tensorflow: native,
};

export function kernelsOf(kind: Kind): KernelSet {
  return sets[kind];
}
