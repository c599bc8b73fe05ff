import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addThreads,
  type BackendOptions,
  type CommonOptions,
} from "../options/groups.ts";

export type VerifyOptions = BackendOptions & CommonOptions;

export function define(command: Command, context: Context): void {
  command
    .description(
      "Compares models with reference results from PyTorch. A folder holds model.json (outputs, gradients, counts) or " +
        "result.json (the test error of a trained checkpoint).",
    )
    .argument("<folders...>", "folders with reference results")
    .option("--backend <name>", "backend to compare: reference, tfjs-wasm, …", "reference");
  addThreads(command);
  addCommon(command);
  addExamples(command, [
    "verify reference/PatchTST",
    "verify reference/* --backend tfjs-wasm",
    "verify reference/trained/PatchTST_ETTh1 --json",
  ]);
  command.action(async (folders: string[], options: VerifyOptions) => {
    const { verify } = await import("../actions/verify.ts");
    await verify(folders, options, context);
  });
}
