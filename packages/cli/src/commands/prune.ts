import type { Command } from "commander";
import { Option } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addForce,
  addPlugins,
  addTraining,
  addTrainingData,
  type CommonOptions,
  type OutputOptions,
  type TrainingDataOptions,
  type TrainingOptions,
} from "../options/groups.ts";
import { type Assignment, assignment, several, share, text, wholeNumber } from "../options/values.ts";

export interface PruneOptions extends CommonOptions, TrainingDataOptions, TrainingOptions, OutputOptions {
  readonly strategy?: string[];
  readonly criterion?: string;
  readonly scope?: string;
  readonly keep?: string[];
  readonly roundTo?: number;
  readonly set?: Assignment[];
  readonly plugin?: string[];
  readonly sparsity?: number;
  readonly parameters?: number;
  readonly flops?: number;
  readonly bytes?: number;
  readonly acceptNearest?: boolean;
  readonly plan?: string;
  readonly planOut?: string;
  readonly fineTune?: number;
  readonly steps?: number;
  readonly tune?: "each" | "last";
  readonly curve?: "linear" | "cubic" | "exponential";
  readonly distill?: number;
  readonly evaluate?: boolean;
  readonly out?: string;
  readonly dryRun?: boolean;
  readonly compact: boolean;
}

export async function define(command: Command, context: Context): Promise<void> {
  command
    .description(
      "Prunes a model to a target, fine-tunes it if asked, and writes the smaller model. " +
        "Several strategies work in sequence. A target that cannot be met is an error, unless --accept-nearest.",
    )
    .argument("<model>", "a model file (espalier train writes them)");
  command
    .optionsGroup("Strategy:")
    .option(
      "--strategy <name>",
      "depth, head, channel, unstructured, or one of a plug-in; repeatable",
      several(text),
    )
    .option("--criterion <name>", "how important something is (below)")
    .option("--scope <name>", "what is ranked together (below)")
    .option("--keep <pattern>", "tensors or dimensions left alone, * for any text; repeatable", several(text))
    .option("--round-to <n>", "round kept widths up to a multiple of this", wholeNumber({ from: 1 }))
    .option(
      "--set <key=value>",
      "any option (below); strategy.key=value for one; repeatable",
      several(assignment),
    );
  addPlugins(command);
  command
    .optionsGroup("Target, against the unpruned model (one of):")
    .option("--sparsity <share>", "parameters that are zero or gone", share)
    .option("--parameters <share>", "parameters left", share)
    .option("--flops <share>", "FLOPs left, zeros skipped", share)
    .option("--bytes <share>", "bytes left, as stored", share)
    .option("--plan <file>", "do what a plan says, instead of a strategy and a target")
    .option("--accept-nearest", "take the nearest plan where the target cannot be met");
  command
    .optionsGroup("Fine-tuning:")
    .option("--fine-tune <epochs>", "at most so many epochs after pruning", wholeNumber({ from: 1 }))
    .option("--steps <n>", "reach the target in n steps, fine-tuning after each", wholeNumber({ from: 1 }))
    .addOption(new Option("--tune <when>", "with several strategies, after which").choices(["each", "last"]))
    .addOption(
      new Option("--curve <name>", "how --steps grow (exponential)").choices([
        "linear",
        "cubic",
        "exponential",
      ]),
    )
    .option("--distill <share>", "share of the loss that keeps near the unpruned forecasts (0)", share)
    .option("--evaluate", "measure the test error before and after (done when fine-tuning)");
  addTraining(command);
  addTrainingData(command, "what the model was trained on");
  command
    .optionsGroup("Output:")
    .option("--out <file>", "the model file to write (.safetensors)")
    .option("--plan-out <file>", "the plan, to read or to replay (.json)")
    .option("--no-compact", "store masked weights in full")
    .option("--dry-run", "write nothing");
  addForce(command);
  addCommon(command.optionsGroup("Other:"));
  // The packages that know them are heavy, and needed to show them alone.
  if (context.argv.some((word) => word === "--help" || word === "-h")) {
    const { strategiesHelp } = await import("../output/strategies.ts");
    command.addHelpText("after", `\n${strategiesHelp(context)}`);
  }
  addExamples(command, [
    "prune m.safetensors --strategy unstructured --sparsity 0.9 \\\n      --fine-tune 3 --out small.safetensors",
    "prune m.safetensors --strategy head --strategy channel \\\n      --round-to 8 --flops 0.5 --fine-tune 2 --out half.safetensors",
    "prune m.safetensors --strategy head --bytes 0.7 --plan-out p.json",
    "prune m.safetensors --plan p.json --out again.safetensors",
  ]);
  command.action(async (model: string, options: PruneOptions) => {
    const { prune } = await import("../actions/prune.ts");
    await prune(model, options, context);
  });
}
