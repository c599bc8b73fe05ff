import { tfjs } from "@espalier/backend-tfjs";
import {
  type Architecture,
  type Backend,
  EspalierError,
  type ModelFactory,
  reference,
  type Strategy,
  type StrategyPlugin,
  type StrategySpec,
  unknownName,
} from "@espalier/core";
import { findModel } from "@espalier/models";
import { plugin as channel } from "@espalier/strategy-channel";
import { plugin as combined } from "@espalier/strategy-combined";
import { plugin as head } from "@espalier/strategy-head";
import { plugin as unstructured } from "@espalier/strategy-unstructured";
import type { UseConfig } from "./config.ts";

/** Everything that is found by name: strategies (plug-ins may add some), backends, models. */
export interface Registry {
  readonly strategies: ReadonlyMap<string, StrategyPlugin>;
  readonly backends: ReadonlyMap<string, Backend>;
  strategy(spec: StrategySpec): Strategy;
  backend(name: string): Backend;
  model(name: string): ModelFactory<unknown>;
}

/** The strategies and backends that come with Espalier, and plug-ins beside them. */
export function createRegistry(plugins: readonly StrategyPlugin[] = []): Registry {
  const strategies = new Map([channel, combined, head, unstructured, ...plugins].map((p) => [p.name, p]));
  const backends = new Map(
    [tfjs({ kind: "wasm" }), tfjs({ kind: "cpu" }), reference].map((b): [string, Backend] => [b.name, b]),
  );
  const registry: Registry = {
    strategies,
    backends,
    strategy(spec) {
      const { use, label: _label, ...options } = spec;
      const plugin = strategies.get(use);
      if (plugin === undefined) throw unknownName("strategy", use, [...strategies.keys()], " (and any package given by --plugin)");
      return named(plugin, options, (inner) => registry.strategy(inner));
    },
    backend(name) {
      const backend = backends.get(name);
      if (backend === undefined) throw unknownName("backend", name, [...backends.keys()]);
      return backend;
    },
    model: (name) => findModel(name) as ModelFactory<unknown>,
  };
  return registry;
}

/** Options are checked by the plug-in's schema; what it refuses becomes one line that names strategy and option. */
function named(plugin: StrategyPlugin, options: Readonly<Record<string, unknown>>, resolve: Registry["strategy"]): Strategy {
  try {
    return plugin.create(options, resolve);
  } catch (error) {
    throw optionError(error, `strategy "${plugin.name}"`);
  }
}

/** Draws a model by name; lengths and series come from the data where the options leave them out. */
export function drawModel(
  registry: Registry,
  use: UseConfig,
  data: { readonly inputLength: number; readonly horizon: number; readonly series: number },
): Architecture {
  const { use: name, label: _label, ...options } = use;
  const factory = registry.model(name);
  try {
    return factory({ ...data, ...options });
  } catch (error) {
    throw optionError(error, `model "${name}"`);
  }
}

/** A schema library's refusal as one line; other errors as they are. */
export function optionError(error: unknown, what: string): unknown {
  const issues = (error as { issues?: readonly { path: readonly PropertyKey[]; message: string }[] }).issues;
  if (!Array.isArray(issues)) return error;
  const lines = issues.slice(0, 3).map(({ path, message }) => `${path.map(String).join(".") || "options"}: ${message}`);
  return new EspalierError(`${what}: ${lines.join("; ")}.`);
}
