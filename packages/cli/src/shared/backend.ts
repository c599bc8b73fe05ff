import { type Backend, EspalierError } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import type { BackendOptions } from "../options/groups.ts";

/** Opens the requested backend. Throws an EspalierError if it is unknown or cannot run here. */
export async function openBackend(
  registry: Registry,
  { backend: name, threads = 1 }: BackendOptions,
): Promise<Backend> {
  if (threads > 1 && name !== "wasm") {
    throw new EspalierError(`--threads ${threads}: only wasm runs on several threads, not ${name}. Drop it.`);
  }
  const backend = registry.backend(threads > 1 ? `${name}:${threads}` : name);
  const { available, detail } = await backend.availability();
  if (!available) throw new EspalierError(`backend ${name} is not available: ${detail}`);
  return backend;
}
