import { add, type Builder, div, mul, reduceMean, sqrt, sub, type Value } from "@espalier/core/graph";

/** A window normalised to mean 0 and deviation 1, and the inverse. */
export interface NormalizedWindow {
  readonly normalized: Value;
  /** Mean and deviation of each series of each window: [batch, 1, series]. */
  readonly mean: Value;
  readonly deviation: Value;
  /** Restores the window's mean and deviation in a forecast [batch, horizon, series]. */
  readonly restore: (forecast: Value) => Value;
}

/** Normalises each series of each window [batch, time, series] (Liu et al., NeurIPS 2022, without learnt factors). */
export function windowNormalization(b: Builder, x: Value): NormalizedWindow {
  const mean = reduceMean(b, x, [1], true);
  const centred = sub(b, x, mean);
  const variance = reduceMean(b, mul(b, centred, centred), [1], true);
  const deviation = sqrt(b, add(b, variance, b.constant(1e-5)));
  return {
    normalized: div(b, centred, deviation),
    mean,
    deviation,
    restore: (forecast) => add(b, mul(b, forecast, deviation), mean),
  };
}
