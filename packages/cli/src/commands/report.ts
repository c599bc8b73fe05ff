import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addForce,
  type CommonOptions,
  type OutputOptions,
} from "../options/groups.ts";

/** Adds `PatchTST=0.394` to the references given before. */
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
      "Draws the report of results files: a self-contained page, Markdown, and charts as SVG and PNG. If the models are " +
        "still next to their file (models/), the report also shows their masks and the importance of their weights.",
    )
    .argument("<results...>", "results.jsonl of a sweep; of several sweeps, one report of all")
    .option("--out <folder>", "where to write it; created if it does not exist")
    .option("--title <text>", "heading of the report")
    .option("--note <text>", "text under the heading")
    .option(
      "--reference <model=mse>",
      "test MSE to compare a model's pruned versions with, instead of the dense model's; repeatable",
      references,
    );
  addForce(command);
  addCommon(command);
  addExamples(command, [
    "report espalier-out/quick/results.jsonl --out report",
    "report first/results.jsonl second/results.jsonl --out both",
    'report results.jsonl --out report --title "ETTh1, 96 → 96" --force',
  ]);
  command.action(async (results: readonly string[], options: ReportOptions) => {
    const { report } = await import("../actions/report.ts");
    await report(results, options, context);
  });
}
