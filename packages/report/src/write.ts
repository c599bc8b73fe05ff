import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { ResultRecord } from "@espalier/bench";
import { loadModel } from "@espalier/formats/node";
import { type Document, documentOf } from "./document.ts";
import type { Figure } from "./figures.ts";
import { checkFree, drawFigures, writeFolder } from "./folder.ts";
import { toHtml } from "./html.ts";
import { toMarkdown } from "./markdown.ts";
import { pictureFigures } from "./pictures.ts";
import { rowsOf } from "./rows.ts";

/** Where a document goes. */
export interface WriteOptions {
  /** Folder for the report. Made where it does not exist, and its parents too. */
  readonly out: string;
  /** Replaces a report that is there already. Without it that is an EspalierError, as are other files in the folder. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** Where a report goes, and what it is called. */
export interface ReportOptions extends WriteOptions {
  /** Heading of the report; "Pruning report" by default. */
  readonly title?: string;
  /** Stands under the heading. */
  readonly note?: string | undefined;
  /** Test MSE to hold pruned models against, by the name of the model in the results; the dense model's by default. */
  readonly references?: Readonly<Record<string, number>> | undefined;
  /** The sparsity at which the model-size chart compares strategies: the nearest target is taken. Default 0.5. */
  readonly sparsity?: number;
  /**
   * Folder with the models of the results, as a sweep keeps them (`models`): their masks and the importance of their weights
   * are drawn, too. Those that are not there are left out.
   */
  readonly models?: string | undefined;
}

/** Paths of what was written. */
export interface WrittenReport {
  readonly html: string;
  readonly markdown: string;
  /** SVG and PNG of each chart. */
  readonly charts: readonly string[];
}

/**
 * Writes a report on the records of a results file: `report.html`, self-contained; `report.md`; and the charts as SVG and
 * PNG in `charts`. The folder is whole or not there: it is made beside its place, then renamed. Throws an EspalierError
 * where the folder is taken.
 */
export async function writeReport(
  records: readonly ResultRecord[],
  options: ReportOptions,
): Promise<WrittenReport> {
  const { title = "Pruning report", note, references, sparsity = 0.5, force = false } = options;
  // Asked before models are read and drawn.
  await checkFree(resolve(options.out), reportKind, force);
  const pictures = await picturesOf(records, sparsity, options.models);
  return writeDocument(documentOf(records, { title, note, references, sparsity, pictures }), options);
}

/** What a folder with a report holds. */
const reportKind = { name: "report", files: new Set(["report.html", "report.md"]) };

/** Writes a document as a report, as `writeReport` does. */
export async function writeDocument(document: Document, options: WriteOptions): Promise<WrittenReport> {
  const { force = false, signal } = options;
  const out = resolve(options.out);
  await checkFree(out, reportKind, force);
  const { svgs, files } = await drawFigures(document, signal);
  const charts = [...files.keys()];
  files.set("report.md", toMarkdown(document));
  files.set("report.html", toHtml(document, svgs));
  await writeFolder(out, files, reportKind, force);
  return {
    html: join(options.out, "report.html"),
    markdown: join(options.out, "report.md"),
    charts: charts.map((path) => join(options.out, path)),
  };
}

async function picturesOf(
  records: readonly ResultRecord[],
  sparsity: number,
  folder: string | undefined,
): Promise<Map<string, readonly Figure[]>> {
  const pictures = new Map<string, readonly Figure[]>();
  if (folder === undefined) return pictures;
  const find = async (id: string) => {
    const path = join(folder, `${id}.safetensors`);
    return (await stat(path).catch(() => undefined)) === undefined ? undefined : loadModel(path);
  };
  for (const section of rowsOf(records).sections)
    pictures.set(section.slug, await pictureFigures(section, sparsity, find));
  return pictures;
}
