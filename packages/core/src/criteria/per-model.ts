import type { Model } from "../model/model.ts";
import type { ScoreRequest } from "./criterion.ts";

/** Computes once for each model: planning asks a criterion many times about one. */
export function oncePerModel<T>(
  compute: (request: ScoreRequest) => Promise<T>,
): (request: ScoreRequest) => Promise<T> {
  const known = new WeakMap<Model, Promise<T>>();
  return (request) => {
    const result = known.get(request.model) ?? compute(request);
    known.set(request.model, result);
    return result;
  };
}
