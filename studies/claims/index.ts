import { readFile } from "node:fs/promises";
import { parseSweepConfig, readResults } from "@espalier/bench";
import { toMarkdown } from "@espalier/report";
import { claimsDocument, type Studies, type Study } from "./document.ts";

export type { Studies, Study };

/** Published claims beside what was measured, as Markdown. */
export function claimsMarkdown(studies: Studies): string {
  return toMarkdown(claimsDocument(studies));
}

/** The studies with the results that the repository keeps. */
export async function committedStudies(): Promise<Studies> {
  return { sedimark: await studyOf("sedimark"), kiefer: await studyOf("kiefer") };
}

async function studyOf(name: string): Promise<Study> {
  const file = `studies/${name}/reduced.yaml`;
  const text = await readFile(new URL(file, root), "utf8");
  const records = await readResults(new URL(`results/${name}/results.jsonl`, root).pathname);
  return { file, config: parseSweepConfig(text, file), records };
}

const root = new URL("../../", import.meta.url);
