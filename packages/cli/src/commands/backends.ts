import type { Command } from "commander";
import type { Context } from "../context.ts";
import { addCommon, addExamples, type CommonOptions } from "../options/groups.ts";

export function define(command: Command, context: Context): void {
  command.description("Lists the backends: which can run on this machine, and how to get those that cannot.");
  addCommon(command);
  addExamples(command, ["backends", "backends --json"]);
  command.action(async (options: CommonOptions) => {
    const { backends } = await import("../actions/backends.ts");
    await backends(options, context);
  });
}
