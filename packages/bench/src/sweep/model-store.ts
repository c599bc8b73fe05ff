import { join } from "node:path";
import { EspalierError, type Model } from "@espalier/core";
import { loadModel, saveModel } from "@espalier/formats/node";
import type { PruneCell, TrainCell } from "./cells.ts";

type ModelCell = TrainCell | PruneCell;

/** The models that cells make for other cells: in files, and the last dense and the last pruned one in memory. */
export class ModelStore {
  readonly #folder: string;
  readonly #idOf: (cell: ModelCell) => string;
  /** Cells that share models are consecutive: caching one of each kind is enough. */
  readonly #atHand = new Map<ModelCell["kind"], { readonly id: string; readonly model: Model }>();
  readonly #failures = new Map<string, string>();

  constructor(folder: string, idOf: (cell: ModelCell) => string) {
    this.#folder = folder;
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

  /** The model of a cell; undefined if it has to be made. Throws an EspalierError if that was tried and failed. */
  async find(cell: ModelCell): Promise<Model | undefined> {
    const id = this.#idOf(cell);
    const failure = this.#failures.get(id);
    if (failure !== undefined) {
      throw new EspalierError(`${cell.kind === "train" ? "training" : "pruning"} failed: ${failure}`);
    }
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

  #path(id: string): string {
    return join(this.#folder, `${id}.safetensors`);
  }
}
