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
}

export async function define(command: Command, context: Context): Promise<void> {
  command
    .description(
      "Prunes a model to a target, fine-tunes it if asked, and writes the smaller model. " +
        "Several strategies work in sequence. A target that cannot be met is an error, unless --accept-nearest. " +
        "Ctrl-C keeps what there is; --resume goes on from there, to the same result as without a stop.",
    )
    .argument("[model]", "a model file (espalier train writes them); a recipe may name one");
  command.option(
    "--recipe <file>",
    "do what a recipe says (.yaml, .json); options given besides replace its own",
  );
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
    .optionsGroup("Target, against the unpruned model (several must all be met):")
    .option("--sparsity <share>", "parameters that are zero or gone", share)
    .option("--parameters <share>", "parameters left", share)
    .option("--flops <share>", "FLOPs left, zeros skipped", share)
    .option("--bytes <share>", "bytes left, as stored", share)
    .option("--latency <share>", "time of a call left, found by measuring", share)
    .option("--latency-backend <name>", "what latency is measured on (wasm)", text)
    .option("--batch <n>", "windows of a call that is measured (1)", wholeNumber({ from: 1 }))
    .option("--latency-time <ms>", "milliseconds that each model is timed for (500)", positive)
    .option("--plan <file>", "do what a plan says, instead of a strategy and a target")
    .option("--accept-nearest", "take the nearest plan where the target cannot be met");
  command
    .optionsGroup("Reconstruction and fine-tuning:")
    .option("--reconstruct", "refit what is left to the unpruned layers' outputs first, without labels")
    .option("--fine-tune <epochs>", "at most so many epochs after pruning", wholeNumber({ from: 1 }))
    .option("--steps <n>", "reach the target in n steps, fine-tuning after each", wholeNumber({ from: 1 }))
    .option("--gradual", "mask weights bit by bit while fine-tuning, not before")
    .addOption(new Option("--tune <when>", "with several strategies, after which").choices(["each", "last"]))
    .addOption(
      new Option("--curve <name>", "how --steps grow (exponential), or masks tighten (cubic)").choices([
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
    .option("--recipe-out <file>", "what is done here as a recipe (.yaml)")
    .option("--resume", "go on with a run that was stopped: the same command, and this")
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
