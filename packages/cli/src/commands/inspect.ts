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
  /** A name pattern; true for all. */
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
      "Shows the costs of a model (parameters, FLOPs, bytes), the density of its layers and heads, its prunable dimensions, " +
        "the reasons why others are fixed, and its history. Takes a file or draws a new model. On request: pictures of masks, " +
        "the importance of weights, the sensitivity of each layer, and a comparison with another model. With --backend: the " +
        "program that runs the model, node by node.",
    )
    .argument("[model]", "a model file");
  addModel(command).option(
    "--series <n>",
    "number of series that the model forecasts (7)",
    wholeNumber({ from: 1 }),
  );
  command
    .optionsGroup("Insight:")
    .option("--masks [pattern]", "draw masks; the pattern names tensors (* for any text)")
    .option("--importance [criterion]", "distribution of importance in each layer (l1)")
    .option(
      "--sensitivity [amounts]",
      "error when one layer at a time is pruned by these shares (0.5,0.9)",
      amounts,
    )
    .option("--against <file>", "compare with the model that this one was pruned from")
    .option("--evaluate", "with --against: also compare test errors and time")
    .option(
      "--windows <n>",
      "number of validation windows for --sensitivity, evenly spaced",
      wholeNumber({ from: 1 }),
      256,
    )
    .option("--on <backend>", "backend that evaluates and times", "wasm");
  addData(command, "the data that the model was trained on");
  command
    .optionsGroup("Run:")
    .option("--backend <name>", "show kernels, weight formats, costs and memory: wasm")
    .option("--batch <n>", "with --backend: windows per run (1)", wholeNumber({ from: 1 }))
    .option("--threads <n>", "with --backend wasm: number of threads (1)", wholeNumber({ from: 1 }))
    .optionsGroup("Output:")
    .option("--out <folder>", "write everything as a page, with charts as SVG and PNG")
    .option("--all", "list every dimension that cannot be pruned, not only the reasons");
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
