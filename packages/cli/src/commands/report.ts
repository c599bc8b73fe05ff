import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addForce,
  type CommonOptions,
  type OutputOptions,
} from "../options/groups.ts";

export interface ReportOptions extends CommonOptions, OutputOptions {
  readonly out?: string;
  readonly title?: string;
  readonly note?: string;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Draws the report of a results file: a page that needs no other file, Markdown, charts as SVG and PNG. Where the " +
        "models are still beside it (models/), their masks and the importance of their weights are drawn, too.",
    )
    .argument("<results>", "results.jsonl of a sweep")
    .option("--out <folder>", "where to write it; made if need be")
    .option("--title <text>", "its heading")
    .option("--note <text>", "what stands under it");
  addForce(command);
  addCommon(command);
  addExamples(command, [
    "report espalier-out/quick/results.jsonl --out report",
    'report results.jsonl --out report --title "ETTh1, 96 → 96" --force',
  ]);
  command.action(async (results: string, options: ReportOptions) => {
    const { report } = await import("../actions/report.ts");
    await report(results, options, context);
  });
}
