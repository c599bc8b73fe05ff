import type { Kernels } from "../modules/load.ts";

/** A linear memory with the kernels that work on it, as those see it who only put something there. */
export interface Memory {
  readonly kernels: Kernels;
  /** Room for `bytes`; `what` names it where there is none. */
  allocate(bytes: number, what: string): number;
  free(address: number): void;
  /** The numbers at an address: good until memory grows. */
  integers(address: number, length: number): Int32Array;
  doubles(address: number, length: number): Float64Array;
  copy(from: number, to: number, bytes: number): void;
}
