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
      "Forecasts the rows that follow the last row of a CSV file, in the file's units. Columns are matched by the names " +
        "that the model was trained with; a column of dates is continued.",
    )
    .argument("<model>", "a model file")
    .optionsGroup("Data:")
    .option("--input <file>", "the CSV file to continue; the model sees its last rows");
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
