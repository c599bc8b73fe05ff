import { dirname, join } from "node:path";
import {
  isComparison,
  parsePeerResults,
  parseResults,
  peersSummaryLines,
  summaryLines,
  type WrittenReport,
  writePeersReport,
  writeReport,
} from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { readBytes } from "@espalier/formats/node";
import type { ReportOptions } from "../commands/report.ts";
import type { Context } from "../context.ts";
import { required } from "../options/groups.ts";

/** What was drawn: as JSON, and in words. */
interface Drawn {
  readonly counts: Readonly<Record<string, number>>;
  readonly report: WrittenReport;
  readonly lines: readonly string[];
}

/** `espalier report`. */
export async function report(results: string, options: ReportOptions, context: Context): Promise<void> {
  const { json, force = false, title, note } = options;
  const out = context.path(required(options.out, "--out FOLDER"));
  const path = context.path(results);
  const text = new TextDecoder().decode(await readBytes(path, "results"));
  const draw = isComparison(text) ? drawComparison : drawSweep;
  const drawn = await draw(text, path, { out, force, note, ...(title === undefined ? {} : { title }) });
  if (json) context.print([JSON.stringify({ ...drawn.counts, report: drawn.report }, null, 2)]);
  else context.print([...drawn.lines, "", context.colors.green(drawn.report.html)]);
}

type Draw = (text: string, path: string, options: Parameters<typeof writePeersReport>[1]) => Promise<Drawn>;

const drawSweep: Draw = async (text, path, options) => {
  const { records } = parseResults(text, path);
  if (records.length === 0) throw new EspalierError(`results ${path}: there is none in it yet.`);
  const written = await writeReport(records, { ...options, models: join(dirname(path), "models") });
  return { counts: { records: records.length }, report: written, lines: summaryLines(records) };
};

const drawComparison: Draw = async (text, path, options) => {
  const comparison = parsePeerResults(text, `results ${path}`);
  const written = await writePeersReport(comparison, options);
  return { counts: { runs: comparison.runs.length }, report: written, lines: peersSummaryLines(comparison) };
};
