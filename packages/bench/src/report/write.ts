import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { EspalierError } from "@espalier/core";
import { loadModel } from "@espalier/formats/node";
import type { ResultRecord } from "../results/records.ts";
import { type Document, documentOf } from "./document.ts";
import type { Figure } from "./figures.ts";
import { toHtml } from "./html.ts";
import { toMarkdown } from "./markdown.ts";
import { pictureFigures } from "./pictures.ts";
import { renderPng, renderSvg } from "./render.ts";
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
  const { title = "Pruning report", note, sparsity = 0.5, force = false } = options;
  // Asked before models are read and drawn.
  await checkFree(resolve(options.out), force);
  const pictures = await picturesOf(records, sparsity, options.models);
  return writeDocument(documentOf(records, { title, note, sparsity, pictures }), options);
}

/** Writes a document as a report, as `writeReport` does. */
export async function writeDocument(report: Document, options: WriteOptions): Promise<WrittenReport> {
  const { force = false, signal } = options;
  const out = resolve(options.out);
  await checkFree(out, force);
  const svgs = new Map<string, string>();
  const files = new Map<string, string | Uint8Array>();
  for (const block of report.blocks) {
    if (block.kind !== "figure") continue;
    signal?.throwIfAborted();
    const { name, spec } = block.figure;
    const svg = await renderSvg(spec);
    svgs.set(name, svg);
    files.set(join("charts", `${name}.svg`), `${svg}\n`);
    files.set(join("charts", `${name}.png`), await renderPng(svg));
  }
  const charts = [...files.keys()];
  files.set("report.md", toMarkdown(report));
  files.set("report.html", toHtml(report, svgs));
  await writeFolder(out, files, force);
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

const own = new Set(["report.html", "report.md", "charts"]);

/** Only a report may be replaced, and only by force: nothing else in a folder is ever lost. */
async function checkFree(out: string, force: boolean): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isDirectory()) throw new EspalierError(`${out} is a file. Give the name of a folder.`);
  const names = await readdir(out);
  if (names.length === 0) return;
  const charts = names.includes("charts") ? await readdir(join(out, "charts")).catch(() => ["charts"]) : [];
  const foreign = [
    ...names.filter((name) => !own.has(name)),
    ...charts.filter((name) => !/\.(svg|png)$/.test(name)),
  ];
  if (foreign.length > 0) {
    throw new EspalierError(`${out} holds what is no report (${foreign[0]}). Give another folder.`);
  }
  if (!force)
    throw new EspalierError(`${out} holds a report. Give --force to replace it, or another folder.`);
}

async function writeFolder(
  out: string,
  files: ReadonlyMap<string, string | Uint8Array>,
  force: boolean,
): Promise<void> {
  await mkdir(dirname(out), { recursive: true });
  const tag = randomUUID();
  const beside = join(dirname(out), `.${basename(out)}.${tag}.part`);
  const old = join(dirname(out), `.${basename(out)}.${tag}.old`);
  try {
    await mkdir(join(beside, "charts"), { recursive: true });
    for (const [path, content] of files) {
      const file = await open(join(beside, path), "wx");
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    // It may have changed while charts were drawn.
    await checkFree(out, force);
    const replaced = await rename(out, old).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return false;
        throw error;
      },
    );
    try {
      await rename(beside, out);
    } catch (error) {
      if (replaced) await rename(old, out);
      throw error;
    }
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
  await rm(old, { recursive: true, force: true });
}
