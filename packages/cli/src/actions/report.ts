import { dirname, join } from "node:path";
import { readResults, summaryLines, writeReport } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import type { ReportOptions } from "../commands/report.ts";
import type { Context } from "../context.ts";
import { required } from "../options/groups.ts";

/** `espalier report`. */
export async function report(results: string, options: ReportOptions, context: Context): Promise<void> {
  const { json, force = false, title, note } = options;
  const out = required(options.out, "--out FOLDER");
  const records = await readResults(context.path(results));
  if (records.length === 0) throw new EspalierError(`results ${results}: there is none in it yet.`);
  const written = await writeReport(records, {
    out: context.path(out),
    models: join(dirname(context.path(results)), "models"),
    force,
    note,
    ...(title === undefined ? {} : { title }),
  });
  if (json) context.print([JSON.stringify({ records: records.length, report: written }, null, 2)]);
  else context.print([...summaryLines(records), "", context.colors.green(written.html)]);
}
