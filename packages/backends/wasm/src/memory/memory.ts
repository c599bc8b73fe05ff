import type { EspalierError } from "@espalier/core/inference";
import type { KernelName } from "../modules/names.ts";

/** A linear memory with kernels, as those see it who put calls there and make them. */
export interface Memory {
  /** Room for `bytes`; `what` names it where there is none. */
  allocate(bytes: number, what: string): number;
  free(address: number): void;
  /** The numbers at an address: good until memory grows. */
  integers(address: number, length: number): Int32Array;
  doubles(address: number, length: number): Float64Array;
  copy(from: number, to: number, bytes: number): void;
  bind(kernel: KernelName, args: readonly number[]): (part?: number) => void;
  /** An error that names the backend. */
  failure(text: string): EspalierError;
}
