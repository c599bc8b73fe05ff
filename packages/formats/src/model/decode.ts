import type { Model } from "@espalier/core";
import { operators } from "@espalier/core/graph";
import { assemble, readParts } from "./model-file.ts";

/** Reads a model file. `file` names it in messages. Throws an EspalierError for anything that is not a sound model. */
export function decodeModel(bytes: Uint8Array, file = "model file"): Model {
  return assemble(readParts(bytes, file), operators);
}
