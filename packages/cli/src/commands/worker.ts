import { type Command, Option } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addPlugins,
  addQueue,
  addThreads,
  type CommonOptions,
  type QueueOptions,
} from "../options/groups.ts";
import { names } from "../options/values.ts";

export interface WorkerOptions extends CommonOptions, QueueOptions {
  readonly backends?: string[];
  readonly threads?: number;
  readonly only?: "train,prune" | "latency";
  readonly keepWaiting?: boolean;
  readonly plugin?: string[];
}

export function define(command: Command, context: Context): void {
  command.description(
    "Takes cells of submitted sweeps and searches, one at a time, until there are none. Start one for each processor or two; a cell " +
      "that takes times waits until it has its machine alone. Ctrl-C gives the cell back.",
  );
  addQueue(command).option("--backends <names>", "use these backends only (all that can run here)", names);
  addThreads(command)
    .addOption(
      new Option("--only <kinds>", "take cells of one kind only").choices(["train,prune", "latency"]),
    )
    .option("--keep-waiting", "wait for new cells when there are none");
  addCommon(addPlugins(command));
  addExamples(command, [
    "worker --queue postgres://espalier@db.example/espalier",
    "worker --only latency --keep-waiting",
  ]);
  command.action(async (options: WorkerOptions) => {
    const { worker } = await import("../actions/worker.ts");
    await worker(options, context);
  });
}
