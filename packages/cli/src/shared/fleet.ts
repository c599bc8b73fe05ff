import { createSweepPace, type SweepConfig, type SweepResult } from "@espalier/bench";
import { EspalierError, type Model } from "@espalier/core";
import type { FleetCell, RunningWorker, SearchQueue } from "@espalier/fleet";
import type { Registry } from "@espalier/recipe";
import { plural } from "@espalier/report/text";
import type { SweepOptions } from "../commands/sweep.ts";
import type { Context } from "../context.ts";
import type { LeaseOptions, QueueOptions } from "../options/groups.ts";
import { cellLine, cellText } from "../output/cells.ts";
import type { Bar } from "../output/progress.ts";
import { version } from "../version.ts";
import { dataFolders } from "./data.ts";
import { pluginChecksums } from "./plugins.ts";
import type { CommandWorkbench } from "./workbench.ts";

/** PostgreSQL's driver and pg-boss, which most who install Espalier have no need of. */
export async function loadFleet(): Promise<typeof import("@espalier/fleet")> {
  try {
    return await import("@espalier/fleet");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND" || !message.includes("@espalier/fleet")) throw error;
    throw new EspalierError(
      `a queue needs a package beside this one: npm install @espalier/fleet@${version}`,
    );
  }
}

/** The queue's URL; undefined if none is given. */
export function queueGiven({ queue }: QueueOptions, { env }: Context): string | undefined {
  return queue ?? (env.ESPALIER_QUEUE || undefined);
}

/** The queue's URL. Throws an EspalierError if none is given. */
export function queueUrl(options: QueueOptions, context: Context): string {
  const queue = queueGiven(options, context);
  if (queue !== undefined) return queue;
  throw new EspalierError("give --queue postgres://user@host/database, or set ESPALIER_QUEUE.");
}

interface FleetParts {
  readonly out: string;
  readonly beside: string;
  readonly registry: Registry;
  readonly context: Context;
  readonly bar: Bar;
  readonly queue: string;
  readonly options: SweepOptions;
}

/** Says once that no worker is there, until there is one. */
function aloneSayer(bar: Bar, command: string): (workers: readonly unknown[]) => void {
  let alone = false;
  return ({ length }) => {
    if (length === 0 && !alone) bar.line(`no worker is running: start some with ${command}`);
    alone = length === 0;
  };
}

/** Options of a search's queue. */
interface SearchQueueParts {
  readonly queue: string;
  readonly model: Model;
  readonly workbench: CommandWorkbench;
  readonly registry: Registry;
  readonly options: QueueOptions & LeaseOptions & { readonly plugin?: readonly string[] };
  readonly context: Context;
  readonly bar: Bar;
  readonly onWorkers: (workers: number) => void;
}

/** The queue to which a search hands out its trials. */
export async function openSearchQueue(parts: SearchQueueParts): Promise<SearchQueue> {
  const { queue, model, workbench, registry, options, context, bar, onWorkers } = parts;
  const { SearchQueue } = await loadFleet();
  const { checksum } = await workbench.data(model);
  const sayIfAlone = aloneSayer(bar, "espalier worker --keep-waiting --queue …");
  return new SearchQueue({
    ...{ queue, model, registry, lease: options.lease, signal: context.signal },
    data: { ...workbench.source(model), checksum },
    plugins: await pluginChecksums(options.plugin, context),
    onBegin: (search) => bar.line(`handed out as ${search}; Ctrl-C ends the waiting, not the workers`),
    onWorkers(workers) {
      sayIfAlone(workers);
      onWorkers(workers.length);
    },
    onNote: (line) => bar.line(line),
  });
}

/** Submits a sweep, and shows what workers make of it. */
export async function runOnFleet(
  config: SweepConfig,
  { out, beside, registry, context, bar, queue, options }: FleetParts,
): Promise<SweepResult> {
  const { runFleetSweep } = await loadFleet();
  const pace = createSweepPace();
  const open = new Map<string, FleetCell["cell"]>();
  let [done, total] = [0, 0];
  const sayIfAlone = aloneSayer(bar, "espalier worker --queue …");
  const show = (workers: readonly RunningWorker[]) => {
    const busy = workers.flatMap(({ host, cell }) =>
      cell === undefined ? [] : [`${cellText(cell).trim()} on ${host}`],
    );
    const rest = pace.estimate([...open.values()]);
    bar.update({
      label: `${done}/${total}, ${plural(workers.length, "worker")}${busy[0] === undefined ? "" : `: ${busy[0]}`}`,
      share: total === 0 ? 0 : done / total,
      remaining: rest === undefined || busy.length === 0 ? null : rest / busy.length,
    });
    sayIfAlone(workers);
  };
  return runFleetSweep(config, {
    queue,
    out,
    registry,
    plugins: await pluginChecksums(options.plugin, context),
    signal: context.signal,
    data: { ...dataFolders(context), beside },
    lease: options.lease,
    timingHost: options.timingHost,
    timingProcessor: options.processor,
    onSubmitted(sweep, cells) {
      total = cells.length;
      for (const { id, cell } of cells) open.set(id, cell);
      bar.line(`submitted as ${sweep}; Ctrl-C ends the waiting, not the workers`);
    },
    onCell(event) {
      done = event.done;
      if (event.record !== undefined) {
        open.delete(event.record.id);
        pace.done(event.cell, event.record.seconds);
        bar.line(cellLine(event, context.noteColors));
      }
    },
    onWorkers: show,
    onNote: (line) => bar.line(line),
  });
}
