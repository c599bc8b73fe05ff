import { plural } from "@espalier/report/text";
import type { WorkerOptions } from "../commands/worker.ts";
import type { Context } from "../context.ts";
import { cellLine, cellText } from "../output/cells.ts";
import { dataFolders } from "../shared/data.ts";
import { loadFleet, queueUrl } from "../shared/fleet.ts";
import { pluginChecksums, registryWith } from "../shared/plugins.ts";
import { version } from "../version.ts";

/** `espalier worker`. */
export async function worker(options: WorkerOptions, context: Context): Promise<void> {
  const queue = queueUrl(options, context);
  const { only, backends, threads, keepWaiting, plugin } = options;
  const { work } = await loadFleet();
  const registry = await registryWith(plugin, context);
  for (const name of backends ?? []) registry.backend(name);
  context.endsInOrder(context.note);
  const { done } = await work({
    queue,
    registry,
    plugins: await pluginChecksums(plugin, context),
    backends,
    threads,
    keepWaiting,
    only: only === undefined ? undefined : only === "latency" ? "times" : "work",
    data: dataFolders(context),
    versions: { espalier: version },
    signal: context.signal,
    onCell({ cell, outcome, record }) {
      if (outcome === "started") return;
      if (record === undefined || outcome === "lost" || outcome === "retried")
        context.note(`${outcome}: ${cellText(cell).trim()}`);
      else context.note(cellLine({ cell, record }, context.noteColors));
    },
    onNote: context.note,
  });
  if (options.json) context.print([JSON.stringify({ done }, null, 2)]);
  else context.print([`${plural(done, "cell")} done`]);
}
