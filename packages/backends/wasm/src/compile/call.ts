import type { KernelName } from "../modules/names.ts";
import type { Storage } from "./view.ts";

/** A place in memory, its address still open. */
export interface Pointer {
  readonly storage: Storage;
  readonly bytes: number;
  /** Bytes from one thread's copy to the next one's; all threads mean the same place where it is left out. */
  readonly perThread?: number;
}

export type Argument = number | Pointer;

export const isPointer = (argument: Argument): argument is Pointer => typeof argument !== "number";

/** One call of a kernel. */
export interface Call {
  readonly kernel: KernelName;
  readonly args: readonly Argument[];
  /** For kernels on sparse rows: number of blocks before each row, and before the end. */
  readonly rowStarts?: Int32Array;
}
