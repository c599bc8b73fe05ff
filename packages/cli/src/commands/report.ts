import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addForce,
  type CommonOptions,
  type OutputOptions,
} from "../options/groups.ts";

/** `PatchTST=0.394`, together with those given before. */
function references(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [, model, error] = /^(.+)=([^=]+)$/.exec(text) ?? [];
  if (model === undefined || !(Number(error) > 0))
    throw new InvalidArgumentError("Expected a model and its MSE, such as PatchTST=0.394.");
  return { ...before, [model]: Number(error) };
}

export interface ReportOptions extends CommonOptions, OutputOptions {
  readonly out?: string;
  readonly title?: string;
  readonly note?: string;
  readonly reference?: Readonly<Record<string, number>>;
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
    .option("--note <text>", "what stands under it")
    .option(
      "--reference <model=mse>",
      "test MSE to hold the pruned models of a model against, instead of the dense one's; may be repeated",
      references,
    );
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
