import type { ScaleKind, SplitRule } from "@espalier/datasets";
import type { FitOptions } from "@espalier/training";
import { type Command, InvalidArgumentError, Option } from "commander";
import { addCsv, type CsvOptionsGiven } from "./csv.ts";
import {
  type Assignment,
  assignment,
  positive,
  seriesNames,
  several,
  share,
  splits,
  text,
  wholeNumber,
} from "./values.ts";

/** Options that several commands share. Names and defaults are those of the packages that read them. */

const scales = ["standard", "min-max", "none"] as const satisfies readonly ScaleKind[];

export interface CommonOptions {
  readonly json?: boolean;
}

/** `--json` and `--debug`. */
export function addCommon(command: Command): Command {
  return command
    .option("--json", "print one JSON document instead of text")
    .addOption(new Option("--debug", "show where an error came from").hideHelp())
    .helpOption("-h, --help", "print this help");
}

/** Examples at the end of a command's help. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText(
    "after",
    `\nExamples:\n${examples.map((line) => `  $ espalier ${line}`).join("\n")}`,
  );
}

export interface DataOptions extends CsvOptionsGiven {
  readonly dataset?: string;
  readonly splits?: SplitRule;
}

const datasetHelp = "synthetic, a name of the catalogue (espalier datasets), or a CSV file";

/** Which data, and how it is split. */
export function addData(command: Command, fallback: string): Command {
  command.optionsGroup("Data:").option("--dataset <name>", `${datasetHelp} (${fallback})`);
  return addCsv(command).option(
    "--splits <shares>",
    "training, validation and test (0.7,0.1,0.2; ETT's months)",
    splits,
  );
}

export interface TrainingDataOptions extends DataOptions {
  readonly series?: string[];
  readonly scale?: ScaleKind;
}

export function addTrainingData(command: Command, fallback: string): Command {
  return addData(command, fallback)
    .option("--series <names>", "series to take, in this order (all)", seriesNames)
    .addOption(new Option("--scale <kind>", "how series are scaled").choices(scales));
}

export interface TrainingOptions extends BackendOptions {
  readonly learningRate?: number;
  readonly batchSize?: number;
  readonly batchesPerEpoch?: number;
  readonly patience?: number;
  readonly rateSchedule?: "halving" | "cosine" | "constant";
  readonly warmup?: number;
  readonly weightDecay?: number;
  readonly groupPenalty?: number;
  readonly regrow?: number;
  readonly seed?: number;
}

/** How a model is trained; the number of epochs is each command's own. */
export function addTraining(command: Command): Command {
  command
    .option("--learning-rate <n>", "step of Adam (0.0001)", positive)
    .addOption(
      new Option("--rate-schedule <name>", "learning rate over the epochs (cosine)").choices([
        "cosine",
        "halving",
        "constant",
      ]),
    )
    .option("--warmup <share>", "share of the steps over which the rate rises first (0)", share)
    .option("--batch-size <n>", "windows a step (32)", wholeNumber({ from: 1 }))
    .option("--batches-per-epoch <n>", "at most so many, drawn at random (all)", wholeNumber({ from: 1 }))
    .option("--patience <n>", "stop after so many epochs without a gain; 0 never (3)", wholeNumber())
    .option("--weight-decay <n>", "of Adam (0)", nonNegative)
    .option("--group-penalty <n>", "group lasso on what could be removed, in the loss (0)", nonNegative)
    .option("--regrow <share>", "share of masked models' weights that moves at first, by RigL (0)", share)
    .option("--seed <n>", "of weights, dropout and the order of windows (0)", wholeNumber());
  return addBackend(command);
}

export interface BackendOptions {
  readonly backend: string;
  readonly threads?: number | undefined;
}

export function addBackend(command: Command): Command {
  return addThreads(command.option("--backend <name>", "what it runs on (espalier backends)", "wasm"));
}

export function addThreads(command: Command): Command {
  return command.option("--threads <n>", "threads that wasm runs on (1)", wholeNumber({ from: 1 }));
}

/** The settings of `fit` among a command's options; those left out keep fit's defaults. */
export function fitSettings(options: TrainingOptions, epochs: number | undefined): FitOptions {
  const { learningRate, rateSchedule, warmup, batchSize, batchesPerEpoch, patience, seed } = options;
  const { weightDecay, groupPenalty, regrow: moving } = options;
  const rate = { learningRate, rateSchedule, warmup };
  const regrow = moving ? { share: moving } : undefined;
  const all = {
    epochs,
    ...rate,
    batchSize,
    batchesPerEpoch,
    patience,
    weightDecay,
    groupPenalty,
    regrow,
    seed,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export interface ModelOptions {
  readonly model?: string;
  readonly from?: string;
  readonly inputLength?: number;
  readonly horizon?: number;
  readonly options?: string;
  readonly set?: Assignment[];
}

/** Which model, and its options. */
export function addModel(command: Command): Command {
  return command
    .optionsGroup("Model:")
    .option(
      "--model <name>",
      "an architecture: PatchTST, iTransformer, TimeXer, Crossformer, SedimarkCrossformer, Transformer, NonstationaryTransformer, Informer, Autoformer, FEDformer, DLinear",
    )
    .option("--from <file>", "start from a model file; with --model, from weights (.safetensors, .pth)")
    .option("--input-length <rows>", "rows it sees (96)", wholeNumber({ from: 1 }))
    .option("--horizon <rows>", "rows it forecasts (96)", wholeNumber({ from: 1 }))
    .option("--set <key=value>", "an option of the model, such as width=64; repeatable", several(assignment))
    .option("--options <file>", "options of the model, from JSON or YAML");
}

/** An option that must be there. Not commander's own check: that comes before the one for misspelt options. */
export function required(value: string | undefined, option: string): string {
  if (value === undefined) throw new InvalidArgumentError(`give ${option}.`);
  return value;
}

export interface OutputOptions {
  readonly force?: boolean;
}

export function addForce(command: Command): Command {
  return command.option("--force", "replace files that exist");
}

export function addPlugins(command: Command): Command {
  return command.option("--plugin <package>", "a package or file with a strategy; repeatable", several(text));
}

function nonNegative(value: string): number {
  return Number(value) === 0 ? 0 : positive(value);
}

export interface QueueOptions {
  readonly queue?: string;
}

/** Where a queue is. */
export function addQueue(command: Command): Command {
  return command.option(
    "--queue <url>",
    "the PostgreSQL database of a sweep on many machines (ESPALIER_QUEUE)",
  );
}
