/** Helpers for reading and writing files and settings: canonical JSON, hashes, format numbers, unknown names. */
export { nearestName, refuseNewerFormat, unknownName } from "./errors.ts";
export { canonicalJson } from "./model/canonical-json.ts";
export { sha256 } from "./model/digest.ts";
