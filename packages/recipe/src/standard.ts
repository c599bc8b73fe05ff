import { tfjs } from "@espalier/backend-tfjs";
import { wasm } from "@espalier/backend-wasm";
import { webgpu } from "@espalier/backend-webgpu";
import { type Backend, reference, type StrategyPlugin } from "@espalier/core";
import { models } from "@espalier/models";
import { type Registry, registryOf } from "./registry/registry.ts";
import { standardStrategies } from "./registry/strategies.ts";

/** The strategies, backends and models that come with Espalier, and the strategies of plug-ins. */
export function createRegistry(plugins: readonly StrategyPlugin[] = []): Registry {
  return registryOf({
    strategies: [...standardStrategies, ...plugins],
    backends: [
      wasm(),
      tfjs({ kind: "tensorflow" }),
      webgpu(),
      tfjs({ kind: "wasm" }),
      tfjs({ kind: "webgpu" }),
      tfjs({ kind: "cpu" }),
      reference,
    ],
    models,
    onThreads,
  });
}

/** `wasm:4`: Espalier's own backend on four threads. */
function onThreads(name: string): Backend | undefined {
  const threads = /^wasm:(\d+)$/.exec(name)?.[1];
  return threads === undefined ? undefined : wasm({ threads: Number(threads) });
}
