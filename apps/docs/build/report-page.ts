import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ResultsPage } from "./results-page.ts";

/** The report that a folder of results comes with, in Markdown, or else its README; undefined if it has neither. */
export async function reportIn(folder: string): Promise<string | undefined> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".md"));
  return files.find((file) => file !== "README.md") ?? files[0];
}

/** A text of a folder of results with its links to files beside it as the site has them. */
export function withFilesOf(name: string, text: string): string {
  return text.replaceAll(/\]\((?![a-z]+:|\/|#)([^)\s]+)\)/g, `](/data/${name}/$1)`);
}

/** Results of a kind without charts of its own here: the report as it was written, with its files to download. */
export async function writeReportPage(
  name: string,
  folder: string,
  report: string,
  site: string,
): Promise<ResultsPage> {
  const raw = join(site, "public", "data", name);
  await mkdir(raw, { recursive: true });
  await cp(folder, raw, { recursive: true, filter: (path) => !path.endsWith(".md") });
  const files = (await readdir(raw, { withFileTypes: true })).filter((file) => file.isFile());
  const downloads = files.map((file) => `- [${file.name}](/data/${name}/${file.name}){download}`);
  const text = await readFile(join(folder, report), "utf8");
  const list = downloads.length === 0 ? "" : `\n## Files\n\n${downloads.join("\n")}\n`;
  return writePage(name, `${withFilesOf(name, text).trim()}\n${list}`, site);
}

/** A text that lies beside the folders of results, such as a comparison with what was published. */
export async function writeTextPage(path: string, name: string, site: string): Promise<ResultsPage> {
  return writePage(name, await readFile(path, "utf8"), site);
}

async function writePage(name: string, text: string, site: string): Promise<ResultsPage> {
  await writeFile(join(site, "results", `${name}.md`), `---\naside: false\npageClass: wide\n---\n\n${text}`);
  const title = /^# (.+)$/m.exec(text)?.[1] ?? name;
  const lead = /^# .+\n+((?:[^#|!<\n].*\n)+)/m.exec(text)?.[1]?.replaceAll("\n", " ").trim() ?? "";
  return { title, link: `/results/${name}`, summary: lead };
}
