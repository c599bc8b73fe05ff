import { EspalierError, type Model } from "@espalier/core";
import type { TestErrors } from "../results/records.ts";
import type { ModelCell, TrainCell } from "./cells.ts";
import type { Unfinished } from "./unfinished.ts";

/** Storage for the results that other cells need. */
export interface CellStore {
  /** Keeps the model that a cell has made. */
  keep(cell: ModelCell, model: Model): Promise<void>;
  /** The model of a cell; undefined if it has to be made. Throws a NeededCellFailed if that was tried and failed. */
  find(cell: ModelCell): Promise<Model | undefined>;
  /** Test errors of a dense model; undefined if they are not known. */
  errorsOf(cell: TrainCell): Promise<TestErrors | undefined>;
  /** Storage for the state of a running cell; absent if a stopped cell starts again. */
  unfinished?(cell: ModelCell): Unfinished;
}

/** A cell cannot run because one that it needs has failed: trying it again changes nothing. */
export class NeededCellFailed extends EspalierError {
  constructor(needed: ModelCell, reason: string) {
    super(`${needed.kind === "train" ? "training" : "pruning"} failed: ${reason}`);
  }
}
