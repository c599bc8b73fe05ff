import type { StoredWeights } from "@espalier/formats";
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
import {
  type Assignment,
  assignment,
  positive,
  several,
  share,
  text,
  wholeNumber,
} from "../options/values.ts";

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
  readonly latency?: number;
  readonly latencyBackend?: string;
  readonly batch?: number;
  readonly latencyTime?: number;
  readonly acceptNearest?: boolean;
  readonly plan?: string;
  readonly recipe?: string;
  readonly recipeOut?: string;
  readonly planOut?: string;
  readonly fineTune?: number;
  readonly steps?: number;
  readonly tune?: "each" | "last";
  readonly curve?: "linear" | "cubic" | "exponential";
  readonly distill?: number;
  readonly reconstruct?: boolean;
  readonly gradual?: boolean;
  readonly evaluate?: boolean;
  readonly out?: string;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
  readonly compact: boolean;
  readonly store?: StoredWeights;
}

export async function define(command: Command, context: Context): Promise<void> {
  command
    .description(
      "Prunes a model to a target, fine-tunes it if asked, and writes the smaller model. " +
        "Several strategies are applied in sequence. A target that cannot be met is an error, unless --accept-nearest is given. " +
        "Ctrl-C keeps the work so far; --resume continues it and gives the same result as a run without a stop.",
    )
    .argument("[model]", "a model file (espalier train writes them); a recipe may name one");
  command.option("--recipe <file>", "carry out a recipe (.yaml, .json); other options replace its settings");
  command
    .optionsGroup("Strategy:")
    .option(
      "--strategy <name>",
      "depth, head, channel, unstructured, or the name of a plug-in's; repeatable",
      several(text),
    )
    .option("--criterion <name>", "how importance is measured (below)")
    .option("--scope <name>", "which parts are ranked together (below)")
    .option(
      "--keep <pattern>",
      "tensors or dimensions to leave unpruned, * for any text; repeatable",
      several(text),
    )
    .option("--round-to <n>", "round the remaining widths up to a multiple of n", wholeNumber({ from: 1 }))
    .option(
      "--set <key=value>",
      "any option (below); strategy.key=value to set it for one; repeatable",
      several(assignment),
    );
  addPlugins(command);
  command
    .optionsGroup("Target, relative to the unpruned model (all that are given must be met):")
    .option("--sparsity <share>", "parameters that are zero or removed", share)
    .option("--parameters <share>", "parameters that remain", share)
    .option("--flops <share>", "FLOPs that remain, zeros skipped", share)
    .option("--bytes <share>", "bytes that remain, as stored", share)
    .option("--latency <share>", "time per call that remains, found by measuring", share)
    .option("--latency-backend <name>", "backend that latency is measured on (wasm)", text)
    .option("--batch <n>", "windows per measured call (1)", wholeNumber({ from: 1 }))
    .option("--latency-time <ms>", "milliseconds of timing per model (500)", positive)
    .option("--plan <file>", "carry out a plan, instead of a strategy and a target")
    .option("--accept-nearest", "take the nearest plan if the target cannot be met");
  command
    .optionsGroup("Reconstruction and fine-tuning:")
    .option(
      "--reconstruct",
      "first refit the remaining weights to the unpruned layers' outputs, without labels",
    )
    .option("--fine-tune <epochs>", "at most this many epochs after pruning", wholeNumber({ from: 1 }))
    .option("--steps <n>", "reach the target in n steps, fine-tuning after each", wholeNumber({ from: 1 }))
    .option("--gradual", "mask weights gradually during fine-tuning, instead of before it")
    .addOption(
      new Option("--tune <when>", "with several strategies: fine-tune after each, or after the last").choices(
        ["each", "last"],
      ),
    )
    .addOption(
      new Option("--curve <name>", "how --steps grow (exponential) or masks tighten (cubic)").choices([
        "linear",
        "cubic",
        "exponential",
      ]),
    )
    .option("--distill <share>", "weight in the loss of the distance to the unpruned forecasts (0)", share)
    .option("--evaluate", "measure the test error before and after (always done when fine-tuning)");
  addTraining(command);
  addTrainingData(command, "the data that the model was trained on");
  command
    .optionsGroup("Output:")
    .option("--out <file>", "the model file to write (.safetensors)")
    .option("--plan-out <file>", "the plan to write, to read or replay (.json)")
    .option("--recipe-out <file>", "write this command as a recipe (.yaml)")
    .option("--resume", "continue a run that was stopped: repeat the command with this option")
    .option("--no-compact", "store masked weights in full")
    .addOption(
      new Option("--store <type>", "round weights, and measure what that changes").choices([
        "float16",
        "int8",
      ]),
    )
    .option("--dry-run", "write nothing");
  addForce(command);
  addCommon(command.optionsGroup("Other:"));
  // The packages that know the strategies are heavy, and only the help needs them.
  if (context.argv.some((word) => word === "--help" || word === "-h")) {
    const { strategiesHelp } = await import("../output/strategies.ts");
    command.addHelpText("after", `\n${strategiesHelp(context)}`);
  }
  addExamples(command, [
    "prune m.safetensors --strategy unstructured --sparsity 0.9 \\\n      --fine-tune 3 --out small.safetensors",
    "prune m.safetensors --strategy head --strategy channel \\\n      --round-to 8 --flops 0.5 --fine-tune 2 --out half.safetensors",
    "prune m.safetensors --strategy channel --latency 0.5 --batch 8 \\\n      --plan-out p.json",
    "prune m.safetensors --recipe half-flops.yaml --out half.safetensors",
  ]);
  command.action(async (model: string | undefined, options: PruneOptions) => {
    const { prune } = await import("../actions/prune.ts");
    const given = Object.entries(options).filter(
      ([name]) => command.getOptionValueSource(name) !== "default",
    );
    await prune(model, options, Object.fromEntries(given), context);
  });
}
