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
      "Makes a pruned model again from the one that it was made from, by its history alone, and compares the two. " +
        "The same backend and data give the same bytes; anything else is an error.",
    )
    .argument("<model>", "the pruned model, with its history")
    .option("--from <file>", "the model that it was made from", text);
  addPlugins(command);
  addTrainingData(command, "what the history names");
  addBackend(command.optionsGroup("Running:"));
  command.optionsGroup("Output:").option("--out <file>", "the model that was made again (.safetensors)");
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
