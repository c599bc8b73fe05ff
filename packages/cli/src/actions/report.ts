import { dirname, join } from "node:path";
import { parseResults, type ResultRecord } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { readBytes } from "@espalier/formats/node";
import { summaryLines, writeReport } from "@espalier/report";
import type { ReportOptions } from "../commands/report.ts";
import type { Context } from "../context.ts";
import { required } from "../options/groups.ts";

/** `espalier report`. */
export async function report(
  results: readonly string[],
  options: ReportOptions,
  context: Context,
): Promise<void> {
  const { json, force = false, title, note, reference } = options;
  const out = context.path(required(options.out, "--out FOLDER"));
  const paths = [...new Set(results.map((path) => context.path(path)))];
  const records = (await Promise.all(paths.map(recordsIn))).flat();
  const written = await writeReport(records, {
    out,
    force,
    note,
    models: paths.map((path) => join(dirname(path), "models")),
    references: reference,
    onNote: context.note,
    ...(title === undefined ? {} : { title }),
  });
  if (json) context.print([JSON.stringify({ records: records.length, report: written }, null, 2)]);
  else context.print([...summaryLines(records, reference), "", context.colors.green(written.html)]);
}

async function recordsIn(path: string): Promise<readonly ResultRecord[]> {
  const text = new TextDecoder().decode(await readBytes(path, "results"));
  if (isComparison(text))
    throw new EspalierError(
      `results ${path}: this file compares runtimes. Draw it in Espalier's repository: pnpm bench:peers --from ${path} --out FOLDER`,
    );
  const { records } = parseResults(text, path);
  if (records.length === 0) throw new EspalierError(`results ${path}: the file holds no results yet.`);
  return records;
}

/** Whether results come from `bench:peers` or `bench:gpu`, which this command once drew. */
function isComparison(text: string): boolean {
  try {
    return "peers" in (JSON.parse(text) as object);
  } catch {
    return false;
  }
}
