import { EspalierError } from "@espalier/core";
import { readBy, refuseNewerFormat } from "@espalier/core/documents";
import type { z } from "zod";

/** Names of a document for errors: `results of a comparison`, in a `comparison format`. */
export interface DocumentKind {
  readonly content: string;
  readonly format: string;
}

/** Reads a JSON document. Throws an EspalierError if the text is something else, of a newer format, or damaged. */
export function parseDocument<T>(text: string, where: string, schema: z.ZodType<T>, kind: DocumentKind): T {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new EspalierError(`${where}: not JSON, so not ${kind.content}.`);
  }
  refuseNewerFormat(raw, kind.format, where);
  return readBy(schema, raw, (path) => `${where}: damaged at ${path.map(String).join(".") || "the top"}`);
}
