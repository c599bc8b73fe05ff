import type { QueueStatus } from "@espalier/fleet";
import { formatBytes, plural } from "@espalier/report/text";
import type { QueueCommandOptions } from "../commands/queue.ts";
import type { Context } from "../context.ts";
import { cellText } from "../output/cells.ts";
import { tableLines } from "../output/table.ts";
import { loadFleet, queueUrl } from "../shared/fleet.ts";

/** `espalier queue`. */
export async function queue(options: QueueCommandOptions, context: Context): Promise<void> {
  const url = queueUrl(options, context);
  const { cancelSweep, collectGarbage, queueStatus } = await loadFleet();
  const { cancel, gc, json } = options;
  const cancelled = cancel === undefined ? undefined : await cancelSweep(url, cancel);
  const removed = gc ? await collectGarbage(url) : undefined;
  if (cancelled === undefined && removed === undefined) {
    const status = await queueStatus(url);
    context.print(json ? [JSON.stringify(status, null, 2)] : statusLines(status, context));
    return;
  }
  if (json) context.print([JSON.stringify({ cancelled, removed }, null, 2)]);
  if (json) return;
  if (cancelled !== undefined) context.print([`${plural(cancelled, "cell")} cancelled`]);
  if (removed !== undefined)
    context.print([`${plural(removed.objects, "object")} removed, ${formatBytes(removed.bytes)}`]);
}

function statusLines({ sweeps, workers, failed }: QueueStatus, { colors }: Context): string[] {
  const head = (...titles: string[]) => titles.map((title) => colors.bold(title));
  const align = ["left", "left", "right", "right", "right"] as const;
  return [
    ...tableLines(
      [
        head("sweep", "name", "done", "failed", "cells"),
        ...sweeps.map(({ id, name, done, failed: bad, cells, cancelled }) => [
          id,
          cancelled ? `${name} (cancelled)` : name,
          `${done}`,
          `${bad}`,
          `${cells}`,
        ]),
      ],
      { align },
    ),
    "",
    ...(workers.length === 0
      ? ["no workers"]
      : tableLines([
          head("worker", "processor", "done", "runs"),
          ...workers.map(({ host, processor, done, cell }) => [
            host,
            processor,
            `${done}`,
            cell === undefined ? "waits" : cellText(cell).trim(),
          ]),
        ])),
    ...(failed.length === 0 ? [] : ["", colors.bold("failed cells")]),
    ...failed.map(
      ({ id, cell, error, host }) =>
        `${id.slice(0, 8)}  ${cellText(cell).trim()}${host === undefined ? "" : ` on ${host}`}: ${error}`,
    ),
  ];
}
