import { tfjs } from "@espalier/backend-tfjs";
import { wasm } from "@espalier/backend-wasm";
import { webgpu } from "@espalier/backend-webgpu";
import {
  type Backend,
  type ModelFactory,
  reference,
  type Strategy,
  type StrategyPlugin,
  type StrategySpec,
  unknownName,
} from "@espalier/core";
import { findModel, models } from "@espalier/models";
import { plugin as channel } from "@espalier/strategy-channel";
import { plugin as combined } from "@espalier/strategy-combined";
import { plugin as depth } from "@espalier/strategy-depth";
import { plugin as head } from "@espalier/strategy-head";
import { plugin as unstructured } from "@espalier/strategy-unstructured";
import { optionError } from "./draw.ts";

/** Everything that is found by name: strategies (plug-ins may add some), backends, models. */
export interface Registry {
  readonly strategies: ReadonlyMap<string, StrategyPlugin>;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly models: ReadonlyMap<string, ModelFactory<never>>;
  /** The strategy a plug-in makes of its options. Throws an EspalierError for an unknown name or option. */
  strategy(spec: StrategySpec): Strategy;
  /** A backend by its name; `wasm:4` is `wasm` on four threads. Throws an EspalierError with the nearest name for an unknown one. */
  backend(name: string): Backend;
  /** A model by its name. Throws an EspalierError with the nearest name for an unknown one. */
  model(name: string): ModelFactory<unknown>;
}

/** The strategies and backends that come with Espalier, and plug-ins beside them. */
export function createRegistry(plugins: readonly StrategyPlugin[] = []): Registry {
  const strategies = new Map(
    [channel, combined, depth, head, unstructured, ...plugins].map((p) => [p.name, p]),
  );
  const backends = new Map(
    [
      wasm(),
      tfjs({ kind: "tensorflow" }),
      webgpu(),
      tfjs({ kind: "wasm" }),
      tfjs({ kind: "webgpu" }),
      tfjs({ kind: "cpu" }),
      reference,
    ].map((b): [string, Backend] => [b.name, b]),
  );
  const threaded = new Map<string, Backend>();
  const registry: Registry = {
    strategies,
    backends,
    models,
    strategy(spec) {
      const { use, label: _label, ...options } = spec;
      const plugin = strategies.get(use);
      if (plugin === undefined)
        throw unknownName("strategy", use, [...strategies.keys()], " (and any package given by --plugin)");
      return named(plugin, options, (inner) => registry.strategy(inner));
    },
    backend(name) {
      const backend = backends.get(name) ?? threaded.get(name) ?? onThreads(name);
      if (backend === undefined)
        throw unknownName("backend", name, [...backends.keys()], " (wasm:4: on 4 threads)");
      threaded.set(name, backend);
      return backend;
    },
    model: (name) => findModel(name) as ModelFactory<unknown>,
  };
  return registry;
}

/** `wasm:4`: the own backend on four threads. */
function onThreads(name: string): Backend | undefined {
  const threads = /^wasm:(\d+)$/.exec(name)?.[1];
  return threads === undefined ? undefined : wasm({ threads: Number(threads) });
}

/** Options are checked by the plug-in's schema; what it refuses becomes one line that names strategy and option. */
function named(
  plugin: StrategyPlugin,
  options: Readonly<Record<string, unknown>>,
  resolve: Registry["strategy"],
): Strategy {
  try {
    return plugin.create(options, resolve);
  } catch (error) {
    throw optionError(error, `strategy "${plugin.name}"`, Object.keys(plugin.options ?? {}));
  }
}
