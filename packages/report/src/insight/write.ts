import { join, resolve } from "node:path";
import { drawFigures, prepareFolder, writeFolder } from "../folder.ts";
import { toHtml } from "../html.ts";
import { toMarkdown } from "../markdown.ts";
import { insightDocument } from "./document.ts";
import type { Insight } from "./insight.ts";

/** Destination of the page. */
export interface WriteInsightOptions {
  /** Folder for the page; created if it does not exist. */
  readonly out: string;
  /** Replaces an existing page of this kind. Without it, that is an EspalierError, like other files in the folder. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** Files in a folder with a model's page. */
const page = { name: "model's page", files: new Set(["model.html", "model.md"]) };

/** Writes the page of a model: `model.html`, self-contained, `model.md`, and the charts as SVG and PNG in `charts`. */
export async function writeInsight(
  insight: Insight,
  { out, force = false, signal }: WriteInsightOptions,
): Promise<{ readonly html: string; readonly markdown: string; readonly charts: readonly string[] }> {
  const folder = resolve(out);
  await prepareFolder(folder, page, force);
  const document = insightDocument(insight);
  const { svgs, files } = await drawFigures(document, signal);
  const charts = [...files.keys()].map((path) => join(out, path));
  files.set("model.md", toMarkdown(document));
  files.set("model.html", toHtml(document, svgs));
  await writeFolder(folder, files, page, force);
  return { html: join(out, "model.html"), markdown: join(out, "model.md"), charts };
}
