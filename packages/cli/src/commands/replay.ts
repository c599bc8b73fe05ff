import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addBackend,
  addCommon,
  addExamples,
  addForce,
  addPlugins,
  addTrainingData,
  type BackendOptions,
  type CommonOptions,
  type OutputOptions,
  type TrainingDataOptions,
} from "../options/groups.ts";
import { text } from "../options/values.ts";

export interface ReplayOptions extends CommonOptions, TrainingDataOptions, BackendOptions, OutputOptions {
  readonly from?: string;
  readonly plugin?: string[];
  readonly out?: string;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Repeats the pruning of a model from its history, starting from the original model, and compares the two results. " +
        "The same backend and data give the same bytes; any difference is an error.",
    )
    .argument("<model>", "the pruned model, with its history")
    .option("--from <file>", "the model that it was pruned from", text);
  addPlugins(command);
  addTrainingData(command, "the data that the history names");
  addBackend(command.optionsGroup("Running:"));
  command.optionsGroup("Output:").option("--out <file>", "the replayed model to write (.safetensors)");
  addForce(command);
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "replay small.safetensors --from model.safetensors",
    "replay small.safetensors --from model.safetensors \\\n      --dataset prices.csv --out again.safetensors",
  ]);
  command.action(async (model: string, options: ReplayOptions) => {
    const { replayed } = await import("../actions/replay.ts");
    const backend = command.getOptionValueSource("backend") === "default" ? undefined : options.backend;
    await replayed(model, options, backend, context);
  });
}
