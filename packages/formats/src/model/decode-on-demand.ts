import { loadOperators, type Model } from "@espalier/core/inference";
import { assemble, readParts } from "./model-file.ts";

/** As `decodeModel`; operators that few forecasters have are loaded only for models that have them. For pages. */
export async function decodeModelOnDemand(bytes: Uint8Array, file = "model file"): Promise<Model> {
  const parts = readParts(bytes, file);
  return assemble(parts, await loadOperators(parts.stored.graph.nodes.map(({ operator }) => operator)));
}
