import { EspalierError } from "@espalier/core";
import { readBy, refuseNewerFormat } from "@espalier/core/documents";
import type { z } from "zod";

/** What a document is called where it is refused: `results of a comparison`, of a `comparison format`. */
export interface DocumentKind {
  readonly content: string;
  readonly format: string;
}

/** Reads a JSON document. Throws an EspalierError where the text is not that, is of a newer format, or is damaged. */
export function parseDocument<T>(text: string, where: string, schema: z.ZodType<T>, kind: DocumentKind): T {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new EspalierError(`${where}: this is not JSON, so no ${kind.content}.`);
  }
  refuseNewerFormat(raw, kind.format, where);
  return readBy(schema, raw, (path) => `${where}: damaged at ${path.map(String).join(".") || "the top"}`);
}
