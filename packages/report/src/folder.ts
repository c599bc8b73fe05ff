import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EspalierError } from "@espalier/core";
import { makeFolder, tryWriting, writeFolderAtomically } from "@espalier/formats/node";
import { type Document, figuresIn } from "./document.ts";
import { renderPng, renderSvg } from "./render.ts";

/** The kind of a folder: its name, and the files in it besides `charts`. */
export interface Kind {
  readonly name: string;
  readonly files: ReadonlySet<string>;
}

/** Charts of a document: their SVGs by name, for the page, and all their files by path. */
export async function drawFigures(
  { blocks }: Document,
  signal?: AbortSignal,
): Promise<{ readonly svgs: Map<string, string>; readonly files: Map<string, string | Uint8Array> }> {
  const svgs = new Map<string, string>();
  const files = new Map<string, string | Uint8Array>();
  for (const { name, spec } of figuresIn(blocks)) {
    signal?.throwIfAborted();
    const svg = await renderSvg(spec);
    svgs.set(name, svg);
    files.set(join("charts", `${name}.svg`), `${svg}\n`);
    files.set(join("charts", `${name}.png`), await renderPng(svg));
  }
  return { svgs, files };
}

/** Only a folder of the same kind may be replaced, and only with force, so that nothing else is ever lost. */
async function checkFree(out: string, { name, files }: Kind, force: boolean): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isDirectory()) throw new EspalierError(`${out} is a file. Give the name of a folder.`);
  const names = await readdir(out);
  if (names.length === 0) return;
  const charts = names.includes("charts") ? await readdir(join(out, "charts")).catch(() => ["charts"]) : [];
  const foreign = [
    ...names.filter((file) => file !== "charts" && !files.has(file)),
    ...charts.filter((file) => !/\.(svg|png)$/.test(file)),
  ];
  if (foreign.length > 0) {
    throw new EspalierError(
      `${out} holds something other than a ${name} (${foreign[0]}). Choose another folder.`,
    );
  }
  if (!force)
    throw new EspalierError(`${out} holds a ${name}. Give --force to replace it, or choose another folder.`);
}

/** Called before charts are drawn: checks that a folder may be replaced, creates its parents, and tries to write there. */
export async function prepareFolder(out: string, kind: Kind, force: boolean): Promise<void> {
  await checkFree(out, kind, force);
  await makeFolder(dirname(out));
  await tryWriting(out);
}

/** Writes a folder completely, once it is prepared. */
export async function writeFolder(
  out: string,
  files: ReadonlyMap<string, string | Uint8Array>,
  kind: Kind,
  force: boolean,
): Promise<void> {
  // It may have changed while charts were drawn.
  await writeFolderAtomically(out, files, { force: true, check: () => checkFree(out, kind, force) });
}
