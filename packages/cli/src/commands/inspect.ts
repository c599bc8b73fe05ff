import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addData,
  addExamples,
  addForce,
  addModel,
  type CommonOptions,
  type DataOptions,
  type ModelOptions,
  type OutputOptions,
} from "../options/groups.ts";
import { amounts, wholeNumber } from "../options/values.ts";

export interface InspectOptions extends CommonOptions, ModelOptions, DataOptions, OutputOptions {
  readonly series?: number;
  readonly all?: boolean;
  readonly backend?: string;
  readonly threads?: number;
  readonly batch?: number;
  /** A pattern; true for all. */
  readonly masks?: string | true;
  /** A criterion; true for the default. */
  readonly importance?: string | true;
  readonly sensitivity?: number[] | true;
  readonly against?: string;
  readonly evaluate?: boolean;
  readonly windows: number;
  readonly on: string;
  readonly out?: string;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Shows what a model costs (parameters, FLOPs, bytes), the density of its layers and heads, its prunable dimensions " +
        "and why the rest is not, and what was done to it. Takes a file, or draws a model. On request: pictures of masks, the " +
        "importance of weights, how sensitive each layer is, and a comparison with another model. With --backend: what the " +
        "model becomes there, node by node.",
    )
    .argument("[model]", "a model file");
  addModel(command).option("--series <n>", "series it forecasts (7)", wholeNumber({ from: 1 }));
  command
    .optionsGroup("Insight:")
    .option("--masks [pattern]", "pictures of masks, of tensors by name pattern (* for any text)")
    .option("--importance [criterion]", "how importance is distributed over each layer (l1)")
    .option(
      "--sensitivity [amounts]",
      "error when each layer alone is pruned by these shares (0.5,0.9)",
      amounts,
    )
    .option("--against <file>", "before and after: the model it was pruned from")
    .option("--evaluate", "with --against: test errors and time of both, too")
    .option(
      "--windows <n>",
      "validation windows for --sensitivity, evenly spaced",
      wholeNumber({ from: 1 }),
      256,
    )
    .option("--on <backend>", "what evaluates and times", "wasm");
  addData(command, "what the model was trained on");
  command
    .optionsGroup("Run:")
    .option("--backend <name>", "show kernels, weight formats, costs and memory on it: wasm")
    .option("--batch <n>", "with --backend: windows a run (1)", wholeNumber({ from: 1 }))
    .option("--threads <n>", "with --backend wasm: threads it runs on (1)", wholeNumber({ from: 1 }))
    .optionsGroup("Output:")
    .option("--out <folder>", "draw it all: a page, and charts as SVG and PNG")
    .option("--all", "every dimension that cannot be pruned, not just the reasons");
  addForce(command);
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "inspect --model PatchTST --set width=64 --set layers=3",
    "inspect small.safetensors --masks --importance --out page",
    "inspect small.safetensors --against model.safetensors --evaluate",
    "inspect small.safetensors --backend wasm --batch 32",
  ]);
  command.action(async (file: string | undefined, options: InspectOptions) => {
    const { inspect } = await import("../actions/inspect.ts");
    await inspect(file, options, context);
  });
}
