import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addForce,
  addModel,
  addTraining,
  addTrainingData,
  type CommonOptions,
  type ModelOptions,
  type OutputOptions,
  type TrainingDataOptions,
  type TrainingOptions,
} from "../options/groups.ts";
import { wholeNumber } from "../options/values.ts";

export interface TrainOptions
  extends CommonOptions,
    ModelOptions,
    TrainingDataOptions,
    TrainingOptions,
    OutputOptions {
  readonly epochs?: number;
  readonly out?: string;
  readonly log?: string;
  readonly resume?: boolean;
  readonly detail?: boolean;
}

export function define(command: Command, context: Context): void {
  command.description(
    "Trains a model, keeps the epoch with the lowest validation error, and measures it on the test split. " +
      "Ctrl-C keeps the best epoch so far; --resume continues and gives the same result as a run without a stop.",
  );
  addModel(command);
  addTrainingData(command, "synthetic");
  command.optionsGroup("Training:").option("--epochs <n>", "at most this many (10)", wholeNumber());
  addTraining(command);
  command
    .optionsGroup("Output:")
    .option("--out <file>", "the model file to write (.safetensors)")
    .option("--log <file>", "write one line of JSON per epoch")
    .option(
      "--resume",
      "continue a run that was stopped, if there is one; repeat the command until it is done",
    )
    .option("--detail", "also show errors by series and by step ahead");
  addForce(command);
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "train --model iTransformer --dataset ETTh1 --out model.safetensors",
    "train --model PatchTST --set width=64 --dataset sales.csv \\\n      --horizon 12 --missing forward-fill --out sales.safetensors",
    "train --from pruned.safetensors --epochs 3 --out tuned.safetensors",
    "train --model PatchTST --from w.pth --epochs 0 --out p.safetensors",
  ]);
  command.action(async (options: TrainOptions) => {
    const { train } = await import("../actions/train.ts");
    await train(options, context);
  });
}
