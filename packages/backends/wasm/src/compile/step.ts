import type { Heap } from "../memory/heap.ts";
import type { PackedWeight } from "../weights/packed-weight.ts";
import type { Call, Pointer } from "./call.ts";

/**
 * When a step runs. `fixed`: only after a tensor that it depends on was written from outside. `main`: in every run.
 * `update`: after outputs were read.
 */
export type Phase = "fixed" | "main" | "update";

/** A call of a kernel, the same in every run. */
export interface KernelWork {
  readonly kind: "kernel";
  readonly call: Call;
}

/** A call whose kernel depends on how its weight is packed. */
export interface WeightWork {
  readonly kind: "weight";
  readonly weight: PackedWeight;
  readonly bind: () => Call;
}

/** Work of JavaScript on the memory, for operators that have no kernel. */
export interface HostWork {
  readonly kind: "host";
  readonly pointers: readonly Pointer[];
  readonly run: (heap: Heap, addresses: readonly number[]) => void;
}

export type Work = KernelWork | WeightWork | HostWork;

/** One step of a plan. */
export interface Step {
  /** Name of the graph's node. */
  readonly node: string;
  readonly work: Work;
  /** Everything it touches that a plan has to place. */
  readonly touches: readonly Pointer[];
  /** Multiply-adds of a dense product, for reports. */
  readonly macs: number;
}

/** The call of a kernel that work is at present, undivided. */
export function callOf(work: KernelWork | WeightWork): Call {
  return work.kind === "kernel" ? work.call : work.bind();
}
