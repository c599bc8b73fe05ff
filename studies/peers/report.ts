import {
  type Block,
  paragraph,
  type WriteOptions,
  type WrittenReport,
  writeDocument,
} from "@espalier/report";
import { peersDocument } from "./document.ts";
import type { PeerResults } from "./results.ts";

/** Writes the report of a comparison, as `writeReport` does that of a sweep. */
export function writePeersReport(
  results: PeerResults,
  { title, note, ...options }: WriteOptions & { readonly title?: string; readonly note?: string | undefined },
): Promise<WrittenReport> {
  const { blocks, ...document } = peersDocument(results);
  const noted: readonly Block[] = note === undefined ? [] : [paragraph(note)];
  const heading = title === undefined ? {} : { title };
  return writeDocument({ ...document, ...heading, blocks: [...noted, ...blocks] }, options);
}
