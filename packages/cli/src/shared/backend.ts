import { type Backend, EspalierError } from "@espalier/core";
import type { Registry } from "@espalier/recipe";
import type { BackendOptions } from "../options/groups.ts";

/** The backend asked for; an EspalierError where it is not known, or cannot run here. */
export async function openBackend(
  registry: Registry,
  { backend: name, threads = 1 }: BackendOptions,
): Promise<Backend> {
  if (threads > 1 && name !== "wasm") {
    throw new EspalierError(
      `--threads ${threads}: only wasm runs on several threads, not ${name}. Leave it out.`,
    );
  }
  const backend = registry.backend(threads > 1 ? `${name}:${threads}` : name);
  const { available, detail } = await backend.availability();
  if (!available) throw new EspalierError(`backend ${name} is not available: ${detail}`);
  return backend;
}
