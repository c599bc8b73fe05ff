import type { Call } from "../../compile/call.ts";
import type { KernelName } from "../../modules/names.ts";
import type { Divider, Surroundings } from "./divider.ts";
import { productDividers } from "./products.ts";
import { rangeDividers } from "./ranges.ts";
import { walkDividers } from "./walks.ts";
import { weightDividers } from "./weights.ts";

const dividers: Partial<Record<KernelName, Divider>> = {
  ...rangeDividers,
  ...walkDividers,
  ...productDividers,
  ...weightDividers,
};

/** Expected nanoseconds of a call on one thread; undefined of kernels that cannot be divided. bench/costs.ts measures them. */
export function costOf(call: Call, surroundings: Surroundings): number | undefined {
  return dividers[call.kernel]?.cost(call, surroundings);
}

/** A call as calls that threads may run at once: itself where it is too small, or its kernel cannot be divided. */
export function divide(call: Call, threads: number, surroundings: Surroundings): readonly Call[] {
  const divider = dividers[call.kernel];
  if (divider === undefined || threads === 1) return [call];
  const { leastPart, longPart, maxPerThread } = surroundings.limits;
  const cost = divider.cost(call, surroundings);
  const perThread = Math.min(maxPerThread, Math.max(1, Math.floor(cost / (threads * longPart))));
  const parts = Math.min(threads * perThread, Math.floor(cost / leastPart));
  return parts < 2 ? [call] : divider.divide(call, parts, surroundings);
}
