import type { Heap } from "../memory/heap.ts";
import type { KernelName } from "../modules/names.ts";
import type { PackedWeight } from "../weights/packed-weight.ts";
import type { Storage } from "./view.ts";

/** A place in memory, its address still open. */
export interface Pointer {
  readonly storage: Storage;
  readonly bytes: number;
  /** Bytes from one thread's copy to the next one's; all threads mean the same place where it is left out. */
  readonly perThread?: number;
}

export type Argument = number | Pointer;

/** One call of a kernel. */
export interface Call {
  readonly kernel: KernelName;
  readonly args: readonly Argument[];
  /** Of kernels on sparse rows: how many blocks lie before each row, and behind the last. */
  readonly rowStarts?: Int32Array;
}

/** Work of JavaScript on the memory, for operators that have no kernel. */
export interface HostCall {
  readonly pointers: readonly Pointer[];
  readonly run: (heap: Heap, addresses: readonly number[]) => void;
}

/**
 * When a step runs. `fixed`: only after a tensor it depends on was written from outside. `main`: in every run. `update`:
 * after outputs were read.
 */
export type Phase = "fixed" | "main" | "update";

/** A call in a plan, or one whose kernel depends on how its weight is packed. */
export interface Step {
  /** Name of the graph's node. */
  readonly node: string;
  readonly call: Call | HostCall | { readonly weight: PackedWeight; readonly bind: () => Call };
  /** Everything it touches that a plan has to place. */
  readonly touches: readonly Pointer[];
  /** Multiply-adds of a dense product, for reports. */
  readonly macs: number;
}

export const isPointer = (argument: Argument): argument is Pointer => typeof argument !== "number";
