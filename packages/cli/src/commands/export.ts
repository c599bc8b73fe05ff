import type { StoredWeights } from "@espalier/formats";
import { type Command, Option } from "commander";
import type { Context } from "../context.ts";
import {
  addBackend,
  addCommon,
  addData,
  addExamples,
  addForce,
  type BackendOptions,
  type CommonOptions,
  type DataOptions,
  type OutputOptions,
} from "../options/groups.ts";
import { wholeNumber } from "../options/values.ts";

export interface ExportOptions extends BackendOptions, CommonOptions, DataOptions, OutputOptions {
  readonly to?: "onnx" | "tfjs" | "tflite" | "safetensors";
  readonly out?: string;
  readonly weights?: "float32" | "float16";
  readonly store?: StoredWeights;
  readonly opset?: number;
  readonly batch?: number;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Writes a model for other tools: an ONNX file, a folder for TensorFlow.js, a file for LiteRT (TensorFlow Lite), or " +
        "safetensors with every tensor in full. " +
        "Shows the size before and after, and the effect of rounded weights: on the test error if the data is available, " +
        "else on the outputs for random inputs.",
    )
    .argument("<model>", "a model file")
    .optionsGroup("Output:")
    .addOption(
      new Option("--to <format>", "the format to write").choices(["onnx", "tfjs", "tflite", "safetensors"]),
    )
    .option("--out <path>", "the file to write; with --to tfjs, the folder")
    .addOption(new Option("--weights <type>", "how ONNX stores weights").choices(["float32", "float16"]))
    .addOption(
      new Option(
        "--store <type>",
        "safetensors: write a packed model file, with weights of this type",
      ).choices(["float16", "int8"]),
    )
    .option("--opset <n>", "version of the ONNX operators, 17 to 21 (20)", wholeNumber({ from: 1 }))
    .option("--batch <n>", "tflite: windows per run, which is fixed (1)", wholeNumber({ from: 1 }));
  addForce(command);
  addData(command, "for rounded weights: the data that the model was trained on");
  addBackend(command.optionsGroup("Run:"));
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "export small.safetensors --to onnx --out small.onnx",
    "export small.safetensors --to onnx --weights float16 \\\n      --dataset sales.csv --out half.onnx",
    "export small.safetensors --to tflite --out small.tflite",
    "export small.safetensors --to safetensors --store int8 \\\n      --out tiny.safetensors",
  ]);
  command.action(async (file: string, options: ExportOptions) => {
    const { exportModel } = await import("../actions/export.ts");
    await exportModel(file, options, context);
  });
}
