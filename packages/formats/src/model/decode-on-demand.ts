import { loadOperators, type Model } from "@espalier/core/inference";
import { assemble, openFile, readParts } from "./model-file.ts";
import { gunzipAnywhere } from "./packing.ts";

/** Like `decodeModel`, but loads rare operators only for models that have them. For pages. */
export async function decodeModelOnDemand(bytes: Uint8Array, file = "model file"): Promise<Model> {
  const { packed, ...opened } = openFile(bytes, file);
  const parts = readParts(packed === undefined ? opened : openFile(await gunzipAnywhere(packed, file), file));
  return assemble(parts, await loadOperators(parts.stored.graph.nodes.map(({ operator }) => operator)));
}
