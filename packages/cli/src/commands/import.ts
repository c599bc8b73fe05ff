import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addForce,
  type CommonOptions,
  type OutputOptions,
} from "../options/groups.ts";
import { type Assignment, assignment, several, text } from "../options/values.ts";

export interface ImportOptions extends CommonOptions, OutputOptions {
  readonly out?: string;
  readonly model?: string;
  readonly set?: Assignment[];
  readonly openBatch?: boolean;
  readonly axis?: Assignment[];
  readonly trainable?: string[];
  readonly buffers?: string[];
  /** A file with inputs and outputs; false for none at all. */
  readonly check?: string | boolean;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Makes a model file of an ONNX model (.onnx), of weights (.pth, .pt, .safetensors), or of a folder that Hugging " +
        "Face's save_pretrained wrote (PatchTSTForPrediction). Of weights, --model says the architecture they belong to; " +
        "its sizes are read off their shapes, and what no shape tells is asked for. Says what " +
        "was understood: inputs, parameters, what can be pruned, what cannot and why, which roles were guessed, and how " +
        "far its outputs are from expected ones.",
    )
    .argument("<file>", "an .onnx, .pth, .pt or .safetensors file, or a folder with config.json")
    .optionsGroup("Weights:")
    .option("--model <name>", "architecture of the weights, such as PatchTST (see espalier train --help)")
    .option("--set <key=value>", "a model option, such as heads=8; repeatable", several(assignment))
    .optionsGroup("ONNX:")
    .option("--open-batch", "let the batch size vary in a file that fixes it")
    .option("--axis <name=n>", "length of an axis that the file leaves open; repeatable", several(assignment))
    .option("--trainable <pattern>", "tensors that are trained (* for any text); repeatable", several(text))
    .option("--buffers <pattern>", "tensors that are not, such as tables; repeatable", several(text))
    .optionsGroup("Check:")
    .option("--check <file>", "inputs and expected outputs by name (.npz, .json), or a folder of .pb files")
    .option("--no-check", "don't compare with test_data_set_0, … next to an ONNX file")
    .optionsGroup("Output:")
    .option("--out <file>", "the model file to write (.safetensors)");
  addForce(command);
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "import forecaster.onnx --open-batch --out model.safetensors",
    "import forecaster.onnx --check example.npz --out model.safetensors",
    "import patchtst-etth1/ --out model.safetensors",
    "import w.pth --model PatchTST --set heads=4 --set series=7 \\\n      --set inputLength=96 --out model.safetensors",
  ]);
  command.action(async (file: string, options: ImportOptions) => {
    const { importModel } = await import("../actions/import.ts");
    await importModel(file, options, context);
  });
}
