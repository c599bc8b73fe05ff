import { type Backend, EspalierError } from "@espalier/core";

/**
 * Returns the device of a backend whose times are meaningful. Throws an EspalierError if the backend is not available,
 * or software stands in for its GPU.
 */
export async function expectTimes(backend: Backend): Promise<string> {
  const { available, detail, software = false } = await backend.availability();
  if (!available) throw new EspalierError(`backend ${backend.name} is not available: ${detail}`);
  if (software) {
    throw new EspalierError(
      `backend ${backend.name} runs on ${detail}: its times say nothing about a GPU, so it is not timed. Drop it, or run it on a GPU.`,
    );
  }
  return detail;
}
