import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addModel,
  type CommonOptions,
  type ModelOptions,
} from "../options/groups.ts";
import { wholeNumber } from "../options/values.ts";

export interface InspectOptions extends CommonOptions, ModelOptions {
  readonly series?: number;
  readonly all?: boolean;
  readonly backend?: string;
  readonly threads?: number;
  readonly batch?: number;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Shows what a model costs (parameters, FLOPs, bytes), the density of its layers, its prunable dimensions and why " +
        "the rest is not, and what was done to it. Takes a file, or draws a model. With --backend: what the model becomes " +
        "there, node by node.",
    )
    .argument("[model]", "a model file");
  addModel(command).option("--series <n>", "series it forecasts (7)", wholeNumber({ from: 1 }));
  command
    .optionsGroup("Run:")
    .option("--backend <name>", "show kernels, weight formats, costs and memory on it: wasm")
    .option("--batch <n>", "with --backend: windows a run (1)", wholeNumber({ from: 1 }))
    .option("--threads <n>", "with --backend wasm: threads it runs on (1)", wholeNumber({ from: 1 }))
    .optionsGroup("Output:")
    .option("--all", "every dimension that cannot be pruned, not just the reasons");
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "inspect model.safetensors",
    "inspect --model PatchTST --set width=64 --set layers=3",
    "inspect small.safetensors --backend wasm --batch 32",
    "inspect --model iTransformer --from checkpoint.pth --json",
  ]);
  command.action(async (file: string | undefined, options: InspectOptions) => {
    const { inspect } = await import("../actions/inspect.ts");
    await inspect(file, options, context);
  });
}
