import { commonOperators } from "./common.ts";
import type { Operator } from "./operator.ts";

/**
 * Operators of core, among them those of `names`: those that few forecasters have are loaded only where they are named. For
 * pages, where bytes count; `operators` has all of them at once.
 */
export async function loadOperators(names: Iterable<string>): Promise<ReadonlyMap<string, Operator>> {
  const common = new Map<string, Operator>(Object.entries(commonOperators));
  for (const name of names) {
    if (!common.has(name)) return (await import("./index.ts")).operators;
  }
  return common;
}
