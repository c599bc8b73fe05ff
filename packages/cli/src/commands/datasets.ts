import type { Command } from "commander";
import type { Context } from "../context.ts";
import { addCommon, addExamples, type CommonOptions } from "../options/groups.ts";

export function define(command: Command, context: Context): void {
  command
    .description(
      "Lists the data sets that are known by name. A file is taken from the folder ESPALIER_DATA, else from the cache, " +
        "else downloaded when it is needed.",
    )
    .argument("[name]", "show everything that is known about one data set")
    .action(async (name: string | undefined, options: CommonOptions) => {
      const { listDatasets, showDataset } = await import("../actions/datasets.ts");
      await (name === undefined ? listDatasets(options, context) : showDataset(name, options, context));
    });
  addCommon(command);
  addExamples(command, ["datasets", "datasets ETTm2", "datasets fetch ETTm2", "datasets --json"]);
  const fetch = command
    .command("fetch")
    .summary("download data sets and verify their checksums")
    .description(
      "Downloads data sets into the cache and verifies their checksums. Files that are already there are verified too.",
    )
    .argument("<names...>", "names from the catalogue");
  addCommon(fetch);
  addExamples(fetch, ["datasets fetch ETTm2", "datasets fetch electricity traffic"]);
  fetch.action(async (names: string[], _options: CommonOptions, sub: Command) => {
    const { fetchDatasets } = await import("../actions/datasets.ts");
    await fetchDatasets(names, sub.optsWithGlobals<CommonOptions>(), context);
  });
}
