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

/** Options that several commands share. Names and defaults come from the packages that read them. */

// Written out, because help must not wait for the packages that define them.
const scales = ["standard", "min-max", "none"] as const satisfies readonly ScaleKind[];
const rateSchedules = [
  "cosine",
  "halving",
  "constant",
] as const satisfies readonly FitOptions["rateSchedule"][];

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

const datasetHelp = "synthetic, a name from the catalogue (espalier datasets), or a CSV file";

/** Options that choose the data and its splits. */
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
    .option("--series <names>", "series to use, in this order (all)", seriesNames)
    .addOption(new Option("--scale <kind>", "how series are scaled").choices(scales));
}

export interface TrainingOptions extends BackendOptions {
  readonly learningRate?: number;
  readonly batchSize?: number;
  readonly batchesPerEpoch?: number;
  readonly patience?: number;
  readonly rateSchedule?: FitOptions["rateSchedule"];
  readonly warmup?: number;
  readonly weightDecay?: number;
  readonly groupPenalty?: number;
  readonly regrow?: number;
  readonly seed?: number;
}

/** Options of a training run; each command adds the number of epochs itself. */
export function addTraining(command: Command): Command {
  command
    .option("--learning-rate <n>", "learning rate of Adam (0.0001)", positive)
    .addOption(
      new Option("--rate-schedule <name>", "how the learning rate changes over the epochs (cosine)").choices(
        rateSchedules,
      ),
    )
    .option("--warmup <share>", "share of the steps during which the rate first rises (0)", share)
    .option("--batch-size <n>", "windows per step (32)", wholeNumber({ from: 1 }))
    .option("--batches-per-epoch <n>", "at most this many, drawn at random (all)", wholeNumber({ from: 1 }))
    .option(
      "--patience <n>",
      "stop after this many epochs without improvement; 0 for never (3)",
      wholeNumber(),
    )
    .option("--weight-decay <n>", "weight decay of Adam (0)", nonNegative)
    .option("--group-penalty <n>", "weight in the loss of a group lasso on removable parts (0)", nonNegative)
    .option("--regrow <share>", "initial share of masked models' weights that RigL moves (0)", share)
    .option("--seed <n>", "seed for weights, dropout and the order of windows (0)", wholeNumber());
  return addBackend(command);
}

export interface BackendOptions {
  readonly backend: string;
  readonly threads?: number | undefined;
}

export function addBackend(command: Command): Command {
  return addThreads(command.option("--backend <name>", "backend to run on (see espalier backends)", "wasm"));
}

export function addThreads(command: Command): Command {
  return command.option("--threads <n>", "threads for wasm (1)", wholeNumber({ from: 1 }));
}

/** The options of `fit` that the command's options give; others keep fit's defaults. */
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

/** Options that choose a model and set its options. */
export function addModel(command: Command): Command {
  return command
    .optionsGroup("Model:")
    .option(
      "--model <name>",
      "an architecture: PatchTST, HuggingFacePatchTST, iTransformer, TimeXer, Crossformer, SedimarkCrossformer, Transformer, NonstationaryTransformer, Informer, Autoformer, FEDformer, DLinear",
    )
    .option("--from <file>", "start from a model file or, with --model, from weights (.safetensors, .pth)")
    .option("--input-length <rows>", "rows that the model sees (96)", wholeNumber({ from: 1 }))
    .option("--horizon <rows>", "rows that the model forecasts (96)", wholeNumber({ from: 1 }))
    .option("--set <key=value>", "a model option, such as width=64; repeatable", several(assignment))
    .option("--options <file>", "model options from a JSON or YAML file");
}

/** A required option. Commander's own check runs before the one for misspelt options, so it is not used. */
export function required(value: string | undefined, option: string): string {
  if (value === undefined) throw new InvalidArgumentError(`give ${option}.`);
  return value;
}

export interface OutputOptions {
  readonly force?: boolean;
}

export function addForce(command: Command): Command {
  return command.option("--force", "replace existing files");
}

export function addPlugins(command: Command): Command {
  return command.option(
    "--plugin <package>",
    "a package or file that exports a strategy; repeatable",
    several(text),
  );
}

function nonNegative(value: string): number {
  return Number(value) === 0 ? 0 : positive(value);
}

export interface QueueOptions {
  readonly queue?: string;
}

export interface LeaseOptions {
  readonly lease?: number;
}

/** Address of a queue. */
export function addQueue(command: Command): Command {
  return command.option(
    "--queue <url>",
    "the PostgreSQL database that hands work out to machines (ESPALIER_QUEUE)",
  );
}

/** The option of those who hand work out. */
export function addLease(command: Command): Command {
  return command.option(
    "--lease <seconds>",
    "a worker silent for so long has lost its cell (60)",
    wholeNumber({ from: 10 }),
  );
}
