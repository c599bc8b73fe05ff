import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type Cell, denseCell, type PlannedCell, type TrainCell } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { isDataFile } from "@espalier/datasets/node";
import type { Objects } from "./objects.ts";
import type { QueuedCell } from "./trial.ts";

/** A user's file as cells name it on the way: never a path. */
const reference = /^sha256:([0-9a-f]{64})\/([\w. ()+,-]{1,200})$/;

/** The cell whose model a cell needs: a prune cell for a latency cell, none for a trial, otherwise the dense cell. */
export function parentOf(cell: QueuedCell): Cell | undefined {
  if (cell.kind === "train" || cell.kind === "trial") return undefined;
  return cell.kind === "latency" ? cell.pruned : cell.dense;
}

/** A cell with another dense cell. */
function withDense<C extends Cell>(cell: C, change: (dense: TrainCell) => TrainCell): C {
  const any: Cell = cell;
  if (any.kind === "train") return change(any) as C;
  if (any.kind === "latency") return { ...any, pruned: withDense(any.pruned, change) } as C;
  return { ...any, dense: change(any.dense) } as C;
}

/**
 * Stores the user's own files by checksum; paths of weights start from `beside`. Gives what cells call each on the way, by its path.
 * Throws an EspalierError if a file is not what was planned with.
 */
export async function storeFiles(
  cells: readonly PlannedCell[],
  checksums: ReadonlyMap<string, string>,
  objects: Objects,
  beside = ".",
): Promise<ReadonlyMap<string, string>> {
  const files = new Set(cells.flatMap(({ cell }) => filesOf(cell)));
  const weights = new Set(cells.map(({ cell }) => denseCell(cell).model.weights));
  const names = new Map<string, string>();
  for (const path of files) {
    const stored = await objects.put(await readFile(weights.has(path) ? resolve(beside, path) : path));
    if (stored !== checksums.get(path))
      throw new EspalierError(`${path} has changed since the sweep was planned. Call the sweep again.`);
    names.set(path, nameOf(stored, path));
  }
  return names;
}

/** The data that a cell is about. */
export function dataOf(cell: QueuedCell): TrainCell["data"] | Extract<QueuedCell, { kind: "trial" }>["data"] {
  return cell.kind === "trial" ? cell.data : denseCell(cell).data;
}

/** Files that a cell is about: data of the user's own, and weights. */
export function filesOf(cell: QueuedCell): string[] {
  const { dataset } = dataOf(cell);
  const weights = cell.kind === "trial" ? cell.weights : denseCell(cell).model.weights;
  const files = reference.test(dataset) || isDataFile(dataset) ? [dataset] : [];
  return typeof weights === "string" ? [...files, weights] : files;
}

/** The name that cells use for a stored file in the queue. */
export function nameOf(checksum: string, path: string): string {
  return `sha256:${checksum}/${basename(path).replace(/[^\w. ()+,-]/g, "_")}`;
}

/** A user's file by what cells call it on the way. Throws an EspalierError for a path. */
export function readReference(name: string): { readonly checksum: string; readonly file: string } {
  const [, checksum, file] = reference.exec(name) ?? [];
  if (checksum === undefined || file === undefined || /^\.+$/.test(file))
    throw new EspalierError("queue: a cell names a file by a path, which no worker opens.");
  return { checksum, file };
}

/** A cell with other names for its files. */
export function renamed(cell: QueuedCell, names: ReadonlyMap<string, string>): QueuedCell {
  const name = (known: string) => names.get(known) ?? known;
  const inData = <D extends { readonly dataset: string }>(data: D): D => ({
    ...data,
    dataset: name(data.dataset),
  });
  if (cell.kind === "trial") return { ...cell, data: inData(cell.data), weights: name(cell.weights) };
  return withDense(cell, ({ data, model, ...dense }) => ({
    ...dense,
    data: inData(data),
    model: typeof model.weights === "string" ? { ...model, weights: name(model.weights) } : model,
  }));
}
