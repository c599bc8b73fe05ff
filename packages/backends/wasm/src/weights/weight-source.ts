import type { Slot } from "../state.ts";

/** A matrix W[n, k] inside a tensor; strides in bytes. */
export interface WeightSource {
  readonly slot: Slot;
  readonly offset: number;
  readonly N: number;
  readonly K: number;
  readonly ns: number;
  readonly ks: number;
  /**
   * Source of the pattern of zeros: the weights' own values; none, because training changes all of them; or
   * a mask that training keeps to.
   */
  readonly pattern: "values" | "any" | { readonly mask: Slot };
}
