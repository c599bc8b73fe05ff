import { type Command, InvalidArgumentError, Option } from "commander";
import type { Context } from "../context.ts";
import {
  addBackend,
  addCommon,
  addExamples,
  addLease,
  addPlugins,
  addQueue,
  addTrainingData,
  type BackendOptions,
  type CommonOptions,
  type LeaseOptions,
  type QueueOptions,
  type TrainingDataOptions,
} from "../options/groups.ts";
import { positive, several, share, text, wholeNumber } from "../options/values.ts";

export interface SearchOptions
  extends CommonOptions,
    TrainingDataOptions,
    BackendOptions,
    QueueOptions,
    LeaseOptions {
  readonly minimize?: "error" | "bytes" | "flops" | "latency";
  readonly error?: number | string;
  readonly reference?: "given" | "tuned";
  readonly bytes?: number;
  readonly flops?: number;
  readonly latency?: number;
  readonly latencyBackend?: string;
  readonly batch?: number;
  readonly latencyTime?: number;
  readonly budget?: string;
  readonly evaluations?: number;
  readonly epochs?: number;
  readonly reduction?: number;
  readonly batchesPerEpoch?: number;
  readonly proposals?: number;
  readonly front?: boolean;
  readonly repeats?: number;
  readonly seed?: number;
  readonly strategy?: string[];
  readonly plugin?: string[];
  readonly out?: string;
  readonly fresh?: boolean;
  readonly resume?: boolean;
  readonly compare: boolean;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Searches for the recipe that makes the smallest or fastest model within an error, or the best one within a size. " +
        "Only validation data decides; the test error is measured once, at the end. Everything found is saved immediately: " +
        "a search that was stopped continues when the command is repeated.",
    )
    .argument("[model]", "a model file, or a search file (.yaml, .json)");
  command
    .optionsGroup("Goal (shares are relative to the model):")
    .addOption(
      new Option(
        "--minimize <name>",
        "what to make as small as the limits allow (bytes, if the error is limited)",
      ).choices(["error", "bytes", "flops", "latency"]),
    )
    .option(
      "--error <limit>",
      "largest validation MSE (0.39), or relative to the reference (+1%)",
      errorLimit,
    )
    .addOption(
      new Option(
        "--reference <name>",
        "what a relative error refers to: the model as given, or trained on as long as candidates are (given)",
      ).choices(["given", "tuned"]),
    )
    .option("--bytes <share>", "largest share of the bytes as stored", share)
    .option("--flops <share>", "largest share of the FLOPs, zeros skipped", share)
    .option("--latency <share>", "largest share of the time per call, measured", share)
    .option("--latency-backend <name>", "backend that latency is measured on (wasm)", text)
    .option("--batch <n>", "windows per measured call (1)", wholeNumber({ from: 1 }))
    .option("--latency-time <ms>", "milliseconds of timing per model (500)", positive);
  command
    .optionsGroup("Search:")
    .option("--budget <time>", "time that the search may take, such as 30m (30m)", text)
    .option("--evaluations <n>", "end after this many fine-tunings of candidates", wholeNumber({ from: 1 }))
    .option("--epochs <n>", "epochs of a full fine-tuning (9)", wholeNumber({ from: 1 }))
    .option(
      "--reduction <n>",
      "of so many candidates, one is tuned so many times as long (3)",
      wholeNumber({ from: 2 }),
    )
    .option("--batches-per-epoch <n>", "at most this many, drawn at random (all)", wholeNumber({ from: 1 }))
    .option(
      "--proposals <n>",
      "points that compete for each candidate without fine-tuning (3)",
      wholeNumber({ from: 1 }),
    )
    .option("--front", "spread over all errors up to --error, for the front more than for the chosen model")
    .option("--repeats <n>", "seeds that the chosen recipe is run with (3)", wholeNumber({ from: 1 }))
    .option("--seed <n>", "seed of the search (0)", wholeNumber())
    .option("--strategy <name>", "a further strategy to choose from; repeatable", several(text));
  addPlugins(command);
  addBackend(command);
  addTrainingData(command, "the data that the model was trained on");
  command
    .optionsGroup("Output:")
    .option("--out <folder>", "where everything goes (espalier-out/search-<model>)")
    .option("--resume", "continue the search in the folder; an error if there is none")
    .option("--fresh", "forget the search in the folder, and start again")
    .option("--no-compare", "do not run the gallery's recipes at the size of the chosen one");
  addLease(addQueue(command.optionsGroup("On many machines:")));
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "search m.safetensors --error +1% --budget 30m",
    "search m.safetensors --error +1% --minimize latency --batch 32",
    "search search.yaml --out found",
    "search m.safetensors --bytes 0.1 --queue postgres://alpha/espalier",
  ]);
  command.action(async (model: string | undefined, options: SearchOptions) => {
    const { search } = await import("../actions/search.ts");
    const given = Object.entries(options).filter(
      ([name]) => command.getOptionValueSource(name) !== "default",
    );
    await search(model, Object.fromEntries(given) as Partial<SearchOptions>, context);
  });
}

function errorLimit(value: string): number | string {
  if (/^[+-]\d+(\.\d+)? ?%$/.test(value)) return value;
  const mse = Number(value);
  if (!(mse > 0)) throw new InvalidArgumentError("Expected a mean squared error such as 0.39, or +1%.");
  return mse;
}
