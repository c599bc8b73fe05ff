import { toMarkdown } from "../report/markdown.ts";
import { type ClaimedResults, claimsDocument } from "./document.ts";

export type { ClaimedResults };

/** The page of published claims as Markdown, from the results of the presets `sedimark` and `kiefer`. */
export function claimsMarkdown(results: ClaimedResults): string {
  return toMarkdown(claimsDocument(results));
}
