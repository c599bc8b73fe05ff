import type { Call } from "../compile/call.ts";
import type { Heap } from "../memory/heap.ts";
import type { WeightSource } from "./weight-source.ts";

/** A weight as panels: the weights of a few outputs for one input lie together. */
export interface DensePack {
  readonly format: "panels";
  readonly address: number;
  readonly bytes: number;
  /** The call that takes over the tensor's values as they are when it is made. */
  readonly refreshCall: Call;
  dispose(): void;
}

export function packDense(heap: Heap, source: WeightSource): DensePack {
  const { slot, N, K, ns, ks } = source;
  const rows = heap.kernels.panelRows();
  const bytes = Math.ceil(N / rows) * rows * K * 4;
  const address = heap.allocate(bytes, `packing tensor "${slot.name}"`);
  const args = [N, K, slot.address + source.offset, ns, ks, address] as const;
  heap.kernels.packPanels(...args);
  return {
    format: "panels",
    address,
    bytes,
    refreshCall: { kernel: "packPanels", args },
    dispose: () => heap.free(address),
  };
}
