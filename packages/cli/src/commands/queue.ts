import type { Command } from "commander";
import type { Context } from "../context.ts";
import {
  addCommon,
  addExamples,
  addQueue,
  type CommonOptions,
  type QueueOptions,
} from "../options/groups.ts";

export interface QueueCommandOptions extends CommonOptions, QueueOptions {
  readonly cancel?: string;
  readonly gc?: boolean;
}

export function define(command: Command, context: Context): void {
  command.description(
    "Lists the sweeps and searches of a queue, its workers, and cells that failed with their errors.",
  );
  addQueue(command)
    .option("--cancel <id>", "end a sweep or a search: what it shares with others is still done")
    .option("--gc", "remove models and files that no cell needs any more");
  addCommon(command);
  addExamples(command, ["queue --queue postgres://espalier@db.example/espalier", "queue --cancel 3f9a0c21"]);
  command.action(async (options: QueueCommandOptions) => {
    const { queue } = await import("../actions/queue.ts");
    await queue(options, context);
  });
}
