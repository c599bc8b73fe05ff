import { basename } from "node:path";
import {
  type CellEvent,
  isLatency,
  isPrune,
  isSensitivity,
  isTrain,
  labelOf,
  type PruneCell,
  procedureOf,
} from "@espalier/bench";
import type { QueuedCell, QueuedRecord, TrialRecord } from "@espalier/fleet";
import {
  cutMiddle,
  formatChange,
  formatDuration,
  formatError,
  formatShare,
  plural,
} from "@espalier/report/text";
import type { Colors } from "../context.ts";

/** Columns of a line, and of its last two parts. */
const [lineWidth, resultWidth, secondsWidth] = [80, 18, 6];

/** A cell in words. A latency cell stands under the cell whose model it times. */
export function cellText(cell: QueuedCell): string {
  if (cell.kind === "trial") return `search on ${basename(cell.data.dataset)}, ${cell.label}`;
  if (cell.kind === "train") return `train ${cell.model.use} on ${cell.data.dataset}`;
  if (cell.kind === "sensitivity") return `${cell.dense.model.use}, single layers pruned`;
  if (cell.kind === "prune")
    return `${cell.dense.model.use}, ${labelOf(procedureOf(cell))}, ${targetOf(cell).join(" ")}`;
  return `  ${labelOf(procedureOf(cell.pruned))} ${targetOf(cell.pruned)[1]} on ${cell.backend} × ${cell.batch}`;
}

function targetOf({ target }: PruneCell): [metric: string, asked: number] {
  return Object.entries(target)[0] as [string, number];
}

/** A cell that is finished; its place among others if it has one. */
export interface FinishedCell extends Partial<Pick<CellEvent, "done" | "total">> {
  readonly cell: QueuedCell;
  readonly record?: QueuedRecord;
}

/** The line of a cell that is finished. */
export function cellLine({ done, total, cell, record }: FinishedCell, colors: Colors): string {
  const position = total === undefined ? "" : `${`${done}`.padStart(`${total}`.length)}/${total}  `;
  if (record === undefined) return `${colors.dim(position)}${cellText(cell)}`;
  if ("error" in record)
    return `${colors.dim(position)}${cellText(cell)}  ${colors.red("failed:")} ${record.error}`;
  const result = resultText(record).padEnd(resultWidth);
  const seconds = formatDuration(record.seconds).padStart(secondsWidth);
  const room = lineWidth - position.length - result.length - seconds.length - 4;
  const what = cutMiddle(`${cellText(cell)}${reached(record)}`, room).padEnd(room);
  return `${colors.dim(position)}${what}  ${result}  ${colors.dim(seconds)}`;
}

/** The value that was reached, if it is not the target. */
function reached(record: QueuedRecord): string {
  if (isTrial(record) || !isPrune(record) || !record.result.applicable || record.result.target.met) return "";
  return ` → ${record.result.target.achieved.toFixed(2)}`;
}

function isTrial(record: QueuedRecord): record is TrialRecord {
  return record.cell.kind === "trial";
}

function resultText(record: QueuedRecord): string {
  if (isTrial(record))
    return "result" in record
      ? `MSE ${formatError(record.result.validation.mse)} ${formatShare(record.result.bytes, 2)}`
      : "";
  if (isTrain(record)) return `MSE ${formatError(record.result.test.mse)}`;
  if (isPrune(record)) {
    const { tuned, dense, applicable } = record.result;
    return applicable
      ? `MSE ${formatError(tuned.mse)} ${formatChange(tuned.mse / dense.test.mse)}`
      : "nothing to prune";
  }
  if (isSensitivity(record)) return plural(record.result.layers.length, "layer");
  return isLatency(record) ? `${record.result.speedup.toFixed(2)} × as fast` : "";
}
