import type { Model } from "./model.ts";

/** Caches what is computed for a model, so that many amounts can be planned at the cost of one. Failures are not cached. */
export function perModel<T>(): (model: Model, compute: () => Promise<T>) => Promise<T> {
  const known = new WeakMap<Model, Promise<T>>();
  return (model, compute) => {
    const before = known.get(model);
    if (before !== undefined) return before;
    const fresh = compute();
    known.set(model, fresh);
    fresh.catch(() => known.delete(model));
    return fresh;
  };
}
