import type { Backend, Strategy, StrategyPlugin, StrategySpec } from "@espalier/core";
import { readBy, unknownName } from "@espalier/core/documents";
import type { ModelFactory } from "@espalier/core/graph";

/** Everything that is found by name: strategies (including plug-ins), backends, models. */
export interface Registry {
  readonly strategies: ReadonlyMap<string, StrategyPlugin>;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly models: ReadonlyMap<string, ModelFactory<never>>;
  /** Creates a strategy by name with its options. Throws an EspalierError for an unknown name or option. */
  strategy(spec: StrategySpec): Strategy;
  /**
   * Returns a backend by name; `wasm:4` is `wasm` on four threads. Throws an EspalierError with the nearest name for an
   * unknown one.
   */
  backend(name: string): Backend;
  /** Returns a model by name. Throws an EspalierError with the nearest name for an unknown one. */
  model(name: string): ModelFactory<unknown>;
}

/** The contents of a registry. */
export interface RegistryParts {
  readonly strategies: Iterable<StrategyPlugin>;
  readonly backends: Iterable<Backend>;
  readonly models: ReadonlyMap<string, ModelFactory<never>>;
  /** Creates a backend with a parametrised name, such as `wasm:4`; undefined for a name it does not know. */
  readonly onThreads?: (name: string) => Backend | undefined;
}

/** A registry of the given strategies, backends and models. */
export function registryOf(parts: RegistryParts): Registry {
  const strategies = new Map([...parts.strategies].map((p) => [p.name, p]));
  const backends = new Map([...parts.backends].map((b) => [b.name, b]));
  const threaded = new Map<string, Backend>();
  const registry: Registry = {
    strategies,
    backends,
    models: parts.models,
    strategy(spec) {
      const { use, label: _label, ...options } = spec;
      const plugin = strategies.get(use);
      if (plugin === undefined)
        throw unknownName("strategy", use, [...strategies.keys()], " (and any package given by --plugin)");
      if (plugin.schema !== undefined) readBy(plugin.schema, options, `strategy "${use}"`);
      return plugin.create(options, (inner) => registry.strategy(inner));
    },
    backend(name) {
      const backend = backends.get(name) ?? threaded.get(name) ?? parts.onThreads?.(name);
      if (backend === undefined)
        throw unknownName("backend", name, [...backends.keys()], " (wasm:4: on 4 threads)");
      threaded.set(name, backend);
      return backend;
    },
    model(name) {
      const wanted = name.toLowerCase();
      const found = [...parts.models].find(([known]) => known.toLowerCase() === wanted)?.[1];
      if (found === undefined) throw unknownName("model", name, [...parts.models.keys()]);
      return found as ModelFactory<unknown>;
    },
  };
  return registry;
}
