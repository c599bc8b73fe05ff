import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type Cell, denseCell, type PlannedCell, type TrainCell } from "@espalier/bench";
import { EspalierError } from "@espalier/core";
import { isDataFile } from "@espalier/datasets/node";
import type { Objects } from "./objects.ts";

/** A user's file as cells name it on the way: never a path. */
const reference = /^sha256:([0-9a-f]{64})\/([\w. ()+,-]{1,200})$/;

/** The cell whose model a cell needs: a prune cell for a latency cell, otherwise the dense cell. */
export function parentOf(cell: Cell): Cell | undefined {
  if (cell.kind === "train") return undefined;
  return cell.kind === "latency" ? cell.pruned : cell.dense;
}

/** A cell with another dense cell. */
export function withDense<C extends Cell>(cell: C, change: (dense: TrainCell) => TrainCell): C {
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
  const models = cells.map(({ cell }) => denseCell(cell));
  const files = new Set(models.flatMap(filesOf));
  const weights = new Set(models.map(({ model }) => model.weights));
  const names = new Map<string, string>();
  for (const path of files) {
    const stored = await objects.put(await readFile(weights.has(path) ? resolve(beside, path) : path));
    if (stored !== checksums.get(path))
      throw new EspalierError(`${path} has changed since the sweep was planned. Call the sweep again.`);
    names.set(path, `sha256:${stored}/${basename(path).replace(/[^\w. ()+,-]/g, "_")}`);
  }
  return names;
}

/** A cell as it travels. */
export function outbound(cell: Cell, names: ReadonlyMap<string, string>): Cell {
  return withDense(cell, (dense) => renamed(dense, (path) => names.get(path) ?? path));
}

/** Files that a cell is about: data of the user's own, and weights. */
export function filesOf({ data, model }: TrainCell): string[] {
  const files = reference.test(data.dataset) || isDataFile(data.dataset) ? [data.dataset] : [];
  return typeof model.weights === "string" ? [...files, model.weights] : files;
}

/** A user's file by what cells call it on the way. Throws an EspalierError for a path. */
export function readReference(name: string): { readonly checksum: string; readonly file: string } {
  const [, checksum, file] = reference.exec(name) ?? [];
  if (checksum === undefined || file === undefined || /^\.+$/.test(file))
    throw new EspalierError("queue: a cell names a file by a path, which no worker opens.");
  return { checksum, file };
}

/** A dense cell with other names for its files. */
export function renamed(dense: TrainCell, name: (known: string) => string): TrainCell {
  const { data, model } = dense;
  return {
    ...dense,
    data: { ...data, dataset: name(data.dataset) },
    model: typeof model.weights === "string" ? { ...model, weights: name(model.weights) } : model,
  };
}
