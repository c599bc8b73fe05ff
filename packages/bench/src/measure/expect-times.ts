import { type Backend, EspalierError } from "@espalier/core";

/** The device of a backend whose times mean something. Throws an EspalierError where it is not here, or a program stands in for its GPU. */
export async function expectTimes(backend: Backend): Promise<string> {
  const { available, detail, software = false } = await backend.availability();
  if (!available) throw new EspalierError(`backend ${backend.name} is not available: ${detail}`);
  if (software) {
    throw new EspalierError(
      `backend ${backend.name} runs on ${detail}: its times say nothing about a GPU, so none are taken. Leave it out, or give it a GPU.`,
    );
  }
  return detail;
}
