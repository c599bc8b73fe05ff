import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ResultRecord } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { loadModel } from "@espalier/formats/node";
import { type Document, documentOf } from "./document.ts";
import type { Figure } from "./figure.ts";
import { drawFigures, prepareFolder, writeFolder } from "./folder.ts";
import { toHtml } from "./html.ts";
import { toMarkdown } from "./markdown.ts";
import { pictureFigures } from "./pictures.ts";
import { rowsOf } from "./rows.ts";

/** Destination of a document. */
export interface WriteOptions {
  /** Folder for the report. Created with its parents if it does not exist. */
  readonly out: string;
  /** Replaces an existing report. Without it, that is an EspalierError, like other files in the folder. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** Options of a report. */
export interface ReportOptions extends WriteOptions {
  /** Heading of the report; "Pruning report" by default. */
  readonly title?: string;
  /** Text under the heading. */
  readonly note?: string | undefined;
  /** Test MSE to compare pruned models with, by the name of the model in the results; by default the dense model's. */
  readonly references?: Readonly<Record<string, number>> | undefined;
  /** The sparsity at which the model-size chart compares strategies: uses the nearest target. Default 0.5. */
  readonly sparsity?: number;
  /**
   * Folders with the models of the results, as sweeps keep them (`models`), to draw their masks and the importance of
   * their weights. Missing and damaged models are left out.
   */
  readonly models?: string | readonly string[] | undefined;
  /** Told, in a line, about each damaged model that is left out. */
  readonly onNote?: ((line: string) => void) | undefined;
}

/** Paths of the written files. */
export interface WrittenReport {
  readonly html: string;
  readonly markdown: string;
  /** SVG and PNG of each chart. */
  readonly charts: readonly string[];
}

/**
 * Writes a report on the records of a results file: `report.html`, self-contained; `report.md`; and the charts as SVG
 * and PNG in `charts`. The folder is written atomically: next to its place, then renamed. Throws an EspalierError if
 * the folder is taken.
 */
export async function writeReport(
  records: readonly ResultRecord[],
  options: ReportOptions,
): Promise<WrittenReport> {
  const { title = "Pruning report", note, references, sparsity = 0.5, force = false } = options;
  // Asked before models are read and drawn.
  await prepareFolder(resolve(options.out), reportKind, force);
  const pictures = await picturesOf(records, sparsity, options);
  return writeDocument(documentOf(records, { title, note, references, sparsity, pictures }), options);
}

/** Files in a folder with a report. */
const reportKind = { name: "report", files: new Set(["report.html", "report.md"]) };

/** Writes a document as a report, as `writeReport` does. */
export async function writeDocument(document: Document, options: WriteOptions): Promise<WrittenReport> {
  const { force = false, signal } = options;
  const out = resolve(options.out);
  await prepareFolder(out, reportKind, force);
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
  { models = [], onNote }: ReportOptions,
): Promise<Map<string, readonly Figure[]>> {
  const pictures = new Map<string, readonly Figure[]>();
  const folders = [models].flat();
  if (folders.length === 0) return pictures;
  const find = async (id: string) => {
    const path = folders.map((folder) => join(folder, `${id}.safetensors`)).find(existsSync);
    if (path === undefined) return undefined;
    return loadModel(path).catch((error: unknown) => {
      if (!(error instanceof EspalierError)) throw error;
      onNote?.(`${error.message} Its charts are left out.`);
      return undefined;
    });
  };
  for (const section of rowsOf(records).sections)
    pictures.set(section.slug, await pictureFigures(section, sparsity, find));
  return pictures;
}
