import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addForce,
  type CommonOptions,
  type OutputOptions,
} from "../options/groups.ts";
import { type Assignment, assignment, several } from "../options/values.ts";

export interface ImportOptions extends CommonOptions, OutputOptions {
  readonly out?: string;
  readonly model?: string;
  readonly set?: Assignment[];
  readonly openBatch?: boolean;
  readonly axis?: Assignment[];
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Makes a model file from an ONNX model (.onnx) or from weights (.pth, .pt, .safetensors). For weights, --model names " +
        "the architecture; its sizes are read from the shapes, and the command asks for those that no shape shows.",
    )
    .argument("<file>", "an .onnx, .pth, .pt or .safetensors file")
    .optionsGroup("Weights:")
    .option("--model <name>", "architecture of the weights, such as PatchTST (see espalier train --help)")
    .option("--set <key=value>", "a model option, such as heads=8; repeatable", several(assignment))
    .optionsGroup("ONNX:")
    .option("--open-batch", "let the batch size vary in a file that fixes it")
    .option("--axis <name=n>", "length of an axis that the file leaves open; repeatable", several(assignment))
    .optionsGroup("Output:")
    .option("--out <file>", "the model file to write (.safetensors)");
  addForce(command);
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "import forecaster.onnx --open-batch --out model.safetensors",
    "import forecaster.onnx --axis sequence=96 --out model.safetensors",
    "import w.pth --model PatchTST --set heads=4 --set series=7 \\\n      --set inputLength=96 --out model.safetensors",
  ]);
  command.action(async (file: string, options: ImportOptions) => {
    const { importModel } = await import("../actions/import.ts");
    await importModel(file, options, context);
  });
}
