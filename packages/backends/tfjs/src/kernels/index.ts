import type { Kind } from "../runtime.ts";
import { elementwise } from "./elementwise.ts";
import type { Kernel } from "./kernel.ts";
import { layout } from "./layout.ts";
import { normalization } from "./normalization.ts";
import { dropoutMaskOnDevice, onDevice } from "./on-device.ts";
import { products } from "./products.ts";
import { dropoutMask, training } from "./training.ts";

/** How TensorFlow.js computes each operator. Dropout is not among them: in evaluation it is nothing. */
export interface KernelSet {
  readonly kernels: ReadonlyMap<string, Kernel>;
  /** RandomUniform, where only dropouts of one ratio read it: the factors they multiply with. */
  readonly dropoutMask: (ratio: number) => Kernel;
}

const shared = { ...elementwise, ...products, ...layout, ...normalization };

const inMemory: KernelSet = { kernels: new Map(Object.entries({ ...shared, ...training })), dropoutMask };

const device: KernelSet = {
  kernels: new Map(Object.entries({ ...shared, ...onDevice })),
  dropoutMask: dropoutMaskOnDevice,
};

export function kernelsOf(kind: Kind): KernelSet {
  return kind === "webgpu" ? device : inMemory;
}
