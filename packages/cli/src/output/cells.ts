import {
  type Cell,
  type CellEvent,
  isFailure,
  isLatency,
  isPrune,
  isTrain,
  labelOf,
  type ResultRecord,
} from "@espalier/bench";
import type { Colors } from "../context.ts";
import { change, duration, measure } from "./numbers.ts";
import { cut } from "./table.ts";

const [whatWidth, resultWidth] = [40, 20];

/** What a cell is about, for a bar: `prune iTransformer, head, sparsity 0.5`. */
export function cellText(cell: Cell): string {
  if (cell.kind === "train") return `${cell.model.use} on ${cell.data.dataset}`;
  if (cell.kind === "prune") {
    const [[metric, asked]] = Object.entries(cell.target) as [[string, number]];
    return `${cell.dense.model.use}, ${labelOf(cell.strategy)}, ${metric} ${asked}`;
  }
  return `${cellText(cell.pruned)}, ${cell.backend} × ${cell.batch}`;
}

/** The line of a cell that is finished. */
export function cellLine({ done, total, cell, record }: CellEvent, colors: Colors): string {
  const position = `${`${done}`.padStart(`${total}`.length)}/${total}`;
  const what = cut(cellText(cell), whatWidth).padEnd(whatWidth);
  const result = record === undefined ? "" : resultText(record);
  const seconds = record === undefined ? "" : duration(record.seconds).padStart(7);
  const text = `${colors.dim(position)}  ${cell.kind.padEnd(7)}  ${what}`;
  if (record !== undefined && isFailure(record)) return `${text}  ${colors.red("failed:")} ${record.error}`;
  return `${text}  ${result.padEnd(resultWidth)}  ${colors.dim(seconds)}`.trimEnd();
}

function resultText(record: ResultRecord): string {
  if (isTrain(record)) return `MSE ${measure(record.result.test.mse)}`;
  if (isPrune(record)) {
    const { tuned, dense, applicable, target } = record.result;
    if (!applicable) return "nothing to prune";
    const text = `MSE ${measure(tuned.mse)} ${change(dense.test.mse, tuned.mse)}`;
    return target.met ? text : `${text} (nearest)`;
  }
  return isLatency(record) ? `${record.result.speedup.toFixed(2)} × as fast` : "";
}
