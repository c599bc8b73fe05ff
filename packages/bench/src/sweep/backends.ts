import { EspalierError, reference } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import type { SweepConfig } from "./config.ts";

/** Stands for every backend that can run here, and whose times mean something. */
const available = "available";

/**
 * A configuration whose backends are named one by one: `available` becomes those that can run here, in the registry's order.
 * The reference implementation is not among them, nor a GPU's software stand-in: their times say nothing.
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
