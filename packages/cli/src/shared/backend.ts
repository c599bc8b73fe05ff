import type { Registry } from "@espalier/bench";
import { type Backend, EspalierError } from "@espalier/core";

/** A backend by name; an EspalierError where it is not known, or cannot run here. */
export async function openBackend(registry: Registry, name: string): Promise<Backend> {
  const backend = registry.backend(name);
  const { available, detail } = await backend.availability();
  if (!available) throw new EspalierError(`backend ${name} is not available: ${detail}`);
  return backend;
}
