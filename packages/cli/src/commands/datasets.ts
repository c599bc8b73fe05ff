import type { Command } from "commander";
import type { Context } from "../context.ts";
import { addCommon, addExamples, type CommonOptions } from "../options/groups.ts";

export function define(command: Command, context: Context): void {
  command
    .description(
      "Lists the data sets that are known by name. They are looked for in the folder ESPALIER_DATA, then in the cache; " +
        "what is in neither is downloaded when it is needed.",
    )
    .argument("[name]", "one of them, to see all that is known of it")
    .action(async (name: string | undefined, options: CommonOptions) => {
      const { listDatasets, showDataset } = await import("../actions/datasets.ts");
      await (name === undefined ? listDatasets(options, context) : showDataset(name, options, context));
    });
  addCommon(command);
  addExamples(command, ["datasets", "datasets ETTm2", "datasets fetch ETTm2", "datasets --json"]);
  const fetch = command
    .command("fetch")
    .summary("download data sets, and verify their checksums")
    .description(
      "Downloads data sets into the cache, and verifies their checksums. What is there already is verified.",
    )
    .argument("<names...>", "names of the catalogue");
  addCommon(fetch);
  addExamples(fetch, ["datasets fetch ETTm2", "datasets fetch electricity traffic"]);
  fetch.action(async (names: string[], _options: CommonOptions, sub: Command) => {
    const { fetchDatasets } = await import("../actions/datasets.ts");
    await fetchDatasets(names, sub.optsWithGlobals<CommonOptions>(), context);
  });
}
