import {
  type Cell,
  type CellStore,
  isFailure,
  isTrain,
  type ModelCell,
  NeededCellFailed,
  type ResultRecord,
  type TestErrors,
  type TrainCell,
} from "@espalier/bench";
import type { Model } from "@espalier/core";
import { decodeModel, encodeModel } from "@espalier/formats";
import type { Database } from "./database.ts";
import { DamagedObject, type Objects } from "./objects.ts";

interface Stored {
  readonly state: string;
  readonly model: string | null;
  readonly record: ResultRecord | null;
}

/** Models and errors of cells in the database; the last model of each kind at hand. */
export class QueueStore implements CellStore {
  readonly #database: Database;
  readonly #objects: Objects;
  readonly #atHand = new Map<ModelCell["kind"], { readonly id: string; readonly model: Model }>();
  #id: (cell: Cell) => string = () => "";
  #rows = new Map<string, Stored | undefined>();
  #made = new Map<string, Uint8Array>();
  #neededFailed = false;
  #fault: unknown;

  constructor(database: Database, objects: Objects) {
    this.#database = database;
    this.#objects = objects;
  }

  /** Begins a cell. `id` names cells as the worker has them. */
  begin(id: (cell: Cell) => string): void {
    this.#id = id;
    this.#rows = new Map();
    this.#made = new Map();
    this.#neededFailed = false;
    this.#fault = undefined;
  }

  /** Models that the cell has made, as files, by the name of the cell that they belong to. */
  get made(): ReadonlyMap<string, Uint8Array> {
    return this.#made;
  }

  /** Whether the cell could not run because of another. */
  get neededFailed(): boolean {
    return this.#neededFailed;
  }

  /** An error that is the database's, and no result of the cell. */
  get fault(): unknown {
    return this.#fault;
  }

  async keep(cell: ModelCell, model: Model): Promise<void> {
    const id = this.#id(cell);
    this.#atHand.set(cell.kind, { id, model });
    this.#made.set(id, encodeModel(model));
  }

  async find(cell: ModelCell): Promise<Model | undefined> {
    const id = this.#id(cell);
    const known = this.#atHand.get(cell.kind);
    if (known?.id === id) return known.model;
    const row = await this.#row(id);
    if (row?.state === "failed" && row.record !== null && isFailure(row.record)) {
      this.#neededFailed = true;
      throw new NeededCellFailed(cell, row.record.error);
    }
    this.#atHand.delete(cell.kind);
    if (row?.model == null) return undefined;
    const bytes = await this.#bytes(row.model);
    if (bytes === undefined) return undefined;
    const model = decodeModel(bytes, `model of cell ${id}`);
    this.#atHand.set(cell.kind, { id, model });
    return model;
  }

  async errorsOf(cell: TrainCell): Promise<TestErrors | undefined> {
    const record = (await this.#row(this.#id(cell)))?.record;
    // The stored record has no cell: it is the one that was asked for.
    const whole = record && ({ ...record, cell } as ResultRecord);
    return whole && isTrain(whole) ? whole.result.test : undefined;
  }

  async #row(id: string): Promise<Stored | undefined> {
    if (!this.#rows.has(id)) {
      const { rows } = await this.#watch(
        this.#database.query<Stored>("SELECT state, model, record FROM espalier.cell WHERE id = $1", [id]),
      );
      this.#rows.set(id, rows[0]);
    }
    return this.#rows.get(id);
  }

  /** A model's file; damaged content is taken out, and the model made again: it is the same. */
  async #bytes(name: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#objects.get(name);
    } catch (error) {
      if (!(error instanceof DamagedObject)) return this.#watch(Promise.reject(error));
      await this.#watch(this.#objects.drop(name));
      return undefined;
    }
  }

  async #watch<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#fault = error;
      throw error;
    }
  }
}
