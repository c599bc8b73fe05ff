import { EspalierError, reference } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import type { SweepConfig } from "./config.ts";

/** Stands for every backend that can run here and whose times are meaningful. */
const available = "available";

/**
 * Replaces `available` in a configuration by the names of the backends that can run here, in the registry's order.
 * Leaves out the reference implementation and a GPU's software stand-in, whose times are meaningless.
 */
export async function withAvailableBackends(config: SweepConfig, registry: Registry): Promise<SweepConfig> {
  if (!config.backends.includes(available)) return config;
  const found: string[] = [];
  for (const [name, backend] of registry.backends) {
    if (name === reference.name) continue;
    const { available: can, software = false } = await backend.availability();
    if (can && !software) found.push(name);
  }
  const names = new Set(config.backends.flatMap((name) => (name === available ? found : [name])));
  const [first, ...rest] = names;
  if (first === undefined) throw new EspalierError("sweep, backends: none is available here.");
  return { ...config, backends: [first, ...rest] };
}
