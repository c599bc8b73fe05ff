import type { Command } from "commander";
import type { Context } from "../context.ts";
import { addCsv, type CsvOptionsGiven } from "../options/csv.ts";
import {
  addBackend,
  addCommon,
  addExamples,
  addForce,
  type BackendOptions,
  type CommonOptions,
  type OutputOptions,
} from "../options/groups.ts";

export interface PredictOptions extends BackendOptions, CommonOptions, CsvOptionsGiven, OutputOptions {
  readonly input?: string;
  readonly out?: string;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Forecasts the rows that follow the last one of a CSV file, in its own units. The columns are found by the names " +
        "the model was trained with; dates go on where there are any.",
    )
    .argument("<model>", "a model file")
    .optionsGroup("Data:")
    .option("--input <file>", "the CSV file to go on from; its last rows are what the model sees");
  addCsv(command);
  addBackend(command.optionsGroup("Run:"));
  command.optionsGroup("Output:").option("--out <file>", "the .csv file to write (standard output)");
  addForce(command);
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "predict model.safetensors --input sales.csv --out forecast.csv",
    "predict model.safetensors --input sales.csv --missing forward-fill",
    "predict model.safetensors --input sales.csv --json",
  ]);
  command.action(async (file: string, options: PredictOptions) => {
    const { predict } = await import("../actions/predict.ts");
    await predict(file, options, context);
  });
}
