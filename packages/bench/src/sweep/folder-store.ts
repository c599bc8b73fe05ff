import { join } from "node:path";
import type { Model } from "@espalier/core";
import { loadModel, saveModel } from "@espalier/formats/node";
import type { ResultsFile } from "../results/file.ts";
import { isTrain, type TestErrors, type TrainRecord } from "../results/records.ts";
import { type CellStore, NeededCellFailed } from "./cell-store.ts";
import type { Cell, ModelCell, TrainCell } from "./cells.ts";
import { type Unfinished, UnfinishedFolder } from "./unfinished.ts";

/** Models of cells in files, the last dense and the last pruned one at hand; errors from the results file. */
export class FolderStore implements CellStore {
  readonly #folder: string;
  readonly #results: ResultsFile;
  readonly #idOf: (cell: Cell) => string;
  /** Cells that share models follow each other: one of a kind is enough. */
  readonly #atHand = new Map<ModelCell["kind"], { readonly id: string; readonly model: Model }>();
  readonly #failures = new Map<string, string>();

  constructor(folder: string, results: ResultsFile, idOf: (cell: Cell) => string) {
    this.#folder = folder;
    this.#results = results;
    this.#idOf = idOf;
  }

  async keep(cell: ModelCell, model: Model): Promise<void> {
    const id = this.#idOf(cell);
    this.#atHand.set(cell.kind, { id, model });
    await saveModel(this.#path(id), model, { force: true });
  }

  /** Records why there is no model of a cell, so that cells that need it fail at once. */
  fail(id: string, reason: string): void {
    this.#failures.set(id, reason);
  }

  async find(cell: ModelCell): Promise<Model | undefined> {
    const id = this.#idOf(cell);
    const failure = this.#failures.get(id);
    if (failure !== undefined) throw new NeededCellFailed(cell, failure);
    const known = this.#atHand.get(cell.kind);
    if (known?.id === id) return known.model;
    this.#atHand.delete(cell.kind);
    try {
      const model = await loadModel(this.#path(id));
      this.#atHand.set(cell.kind, { id, model });
      return model;
    } catch {
      // The file is missing or damaged: the model is made again, with the same result.
      return undefined;
    }
  }

  async errorsOf(cell: TrainCell): Promise<TestErrors | undefined> {
    const id = this.#idOf(cell);
    const record = this.#results.records.find((r) => r.id === id && isTrain(r)) as TrainRecord | undefined;
    return record?.result.test;
  }

  unfinished(cell: ModelCell): Unfinished {
    return new UnfinishedFolder(join(this.#folder, `${this.#idOf(cell)}.unfinished`));
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.safetensors`);
  }
}
