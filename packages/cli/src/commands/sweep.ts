import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addLease,
  addPlugins,
  addQueue,
  type CommonOptions,
  type LeaseOptions,
  type QueueOptions,
} from "../options/groups.ts";
import { names } from "../options/values.ts";

export interface SweepOptions extends CommonOptions, QueueOptions, LeaseOptions {
  readonly preset?: string;
  readonly dataset?: string[];
  readonly models?: string[];
  readonly strategies?: string[];
  readonly backends?: string[];
  readonly only?: string[];
  readonly plugin?: string[];
  readonly out?: string;
  readonly fresh?: boolean;
  readonly timingHost?: string;
  readonly processor?: string;
}

export function define(command: Command, context: Context): void {
  command
    .description(
      "Trains models, prunes each with every strategy at every target, fine-tunes, measures errors and latency, and " +
        "draws the report. Every result is saved immediately: a sweep that was stopped continues when the command is repeated.",
    )
    .argument("[config]", "configuration to run, a .yaml or .json file (the preset)")
    .optionsGroup("What to run:")
    .option("--preset <name>", "a built-in configuration: quick (quick)")
    .option("--dataset <names>", "use these data sets instead", names)
    .option("--models <names>", "run only these models", names)
    .option("--strategies <names>", "run only these strategies", names)
    .option("--backends <names>", "time on these backends instead", names)
    .option("--only <kinds>", "run only these cells: train, prune, sensitivity or latency", names);
  addPlugins(command);
  command
    .optionsGroup("Output:")
    .option("--out <folder>", "where results, models and the report go (espalier-out/<name>)")
    .option("--fresh", "forget what the folder holds, and run every cell again");
  addLease(addQueue(command.optionsGroup("On many machines:")))
    .option("--timing-host <name>", "take times on this machine only")
    .option("--processor <name>", "take times on processors with this in their name only");
  addCommon(command.optionsGroup("Other:"));
  addExamples(command, [
    "sweep",
    "sweep --dataset ETTh1 --models iTransformer",
    "sweep comparison.yaml --queue postgres://db.example/espalier",
    "sweep --strategies slimming,channel --plugin ./my-strategy",
  ]);
  command.action(async (config: string | undefined, options: SweepOptions) => {
    const { sweep } = await import("../actions/sweep.ts");
    await sweep(config, options, context);
  });
}
