import { readdir, readFile } from "node:fs/promises";
import { parseSweepConfig, readResults } from "@espalier/bench";
import { toMarkdown } from "@espalier/report";
import type { Study } from "./comparisons.ts";
import { claimsDocument, type Studies, studyDocument } from "./document.ts";
import { kiefer, sedimark } from "./published.ts";

export type { Studies, Study };

/** The repository. */
export const root = new URL("../../", import.meta.url);

/** Published claims beside what was measured, as Markdown. */
export function claimsMarkdown(studies: Studies): string {
  return toMarkdown(claimsDocument(studies));
}

/** The page of a study's results, as Markdown. */
export function studyMarkdown(study: Study): string {
  const images = study.charts.map((file) => `![${altOf(file)}](charts/${file})`);
  return [toMarkdown(studyDocument(study)), ...images.map((image) => `${image}\n`)].join("\n");
}

/** `informer-on-etth1-error-sparsity.png` → `informer on etth1 error sparsity`. */
function altOf(file: string): string {
  return file.replace(/\.png$/, "").replaceAll("-", " ");
}

const published = { sedimark, kiefer };

/** The studies with the results that the repository keeps. */
export async function committedStudies(): Promise<Studies> {
  return { sedimark: await studyOf("sedimark"), kiefer: await studyOf("kiefer") };
}

async function studyOf(name: keyof typeof published): Promise<Study> {
  const file = `studies/${name}/full.yaml`;
  const text = await readFile(new URL(file, root), "utf8");
  const folder = new URL(`results/${name}/`, root);
  const files = await readdir(folder, { recursive: true });
  const resultsIn = async (results: string) =>
    files.includes(results) ? await readResults(new URL(results, folder).pathname) : [];
  return {
    name,
    file,
    config: parseSweepConfig(text, file),
    records: await resultsIn("results.jsonl"),
    untrained: await resultsIn("untrained.jsonl"),
    charts: files.flatMap((path) => /^charts\/(.+\.png)$/.exec(path)?.[1] ?? []).sort(),
    ...published[name],
  };
}
