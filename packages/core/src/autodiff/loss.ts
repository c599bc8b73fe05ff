import type { Builder, Value } from "../graph/builder.ts";
import { reduceMean } from "../operators/broadcast.ts";
import { mul, sub } from "../operators/elementwise.ts";

/** The mean of (forecast − target)² over all elements, a scalar. Shapes must agree. */
export function meanSquaredError(b: Builder, forecast: Value, target: Value): Value {
  const error = sub(b, forecast, target);
  const all = forecast.shape.map((_, axis) => axis);
  return reduceMean(b, mul(b, error, error), all);
}
