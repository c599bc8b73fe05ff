import { averagePool, type Builder, pad, sub, type Value } from "@espalier/core/graph";

/** A series [N, L, C] as the sum of two. */
export interface Decomposition {
  readonly seasonal: Value;
  readonly trend: Value;
}

/** Trend, the moving average over an odd `window` of rows (the outermost rows repeated), and what is left of the series. */
export function decompose(b: Builder, x: Value, window: number): Decomposition {
  const reach = (window - 1) / 2;
  const trend = averagePool(b, pad(b, x, 1, reach, reach, "edge"), 1, { kernel: window });
  return { seasonal: sub(b, x, trend), trend };
}
