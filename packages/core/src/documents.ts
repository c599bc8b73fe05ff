/** For reading and writing files and settings: schemas, canonical JSON, hashes, format numbers, unknown names. */
export type { Issue } from "./documents/explain.ts";
export { jsonSchemaOf, readBy, type Schema } from "./documents/schema.ts";
export { nearestName, refuseNewerFormat, unknownName } from "./errors.ts";
export { canonicalJson } from "./model/canonical-json.ts";
export { sha256 } from "./model/digest.ts";
