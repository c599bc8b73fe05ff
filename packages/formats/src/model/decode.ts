import type { Model } from "@espalier/core";
import { operators } from "@espalier/core/graph";
import { assemble, openFile, readParts } from "./model-file.ts";
import { gunzip } from "./packing.ts";

/**
 * Reads a model file. `file` names it in messages. Throws an EspalierError for anything that is not a sound model, and in
 * pages for a packed one, which only `decodeModelOnDemand` reads there.
 */
export function decodeModel(bytes: Uint8Array, file = "model file"): Model {
  const { packed, ...opened } = openFile(bytes, file);
  return assemble(readParts(packed === undefined ? opened : openFile(gunzip(packed, file), file)), operators);
}
