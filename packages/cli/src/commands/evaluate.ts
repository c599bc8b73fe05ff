import { type Command, Option } from "commander";
import type { Context } from "../context.ts";
import {
  addBackend,
  addCommon,
  addData,
  addExamples,
  type BackendOptions,
  type CommonOptions,
  type DataOptions,
} from "../options/groups.ts";
import { wholeNumber } from "../options/values.ts";

export interface EvaluateOptions extends BackendOptions, CommonOptions, DataOptions {
  readonly split: "train" | "validation" | "test";
  readonly batchSize?: number;
  readonly detail?: boolean;
}

export function define(command: Command, context: Context): void {
  command
    .description("Forecasts every window of a split, and shows the errors in scaled and in original units.")
    .argument("<model>", "a model file");
  addData(command, "the data that the model was trained on");
  command
    .addOption(
      new Option("--split <part>", "which part of the data")
        .choices(["train", "validation", "test"])
        .default("test"),
    )
    .optionsGroup("Run:")
    .option("--batch-size <n>", "windows per run (64)", wholeNumber({ from: 1 }));
  addBackend(command);
  command.option("--detail", "also show errors by series and by step ahead");
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "evaluate model.safetensors",
    "evaluate small.safetensors --split validation --detail",
    "evaluate model.safetensors --dataset newer.csv --json",
  ]);
  command.action(async (file: string, options: EvaluateOptions) => {
    const { evaluate } = await import("../actions/evaluate.ts");
    await evaluate(file, options, context);
  });
}
