import { type Backend, digest, float32, type Program, type State, type TensorData } from "@espalier/core";
import { inputsFrom, type WindowSet } from "@espalier/datasets";
import type { Teacher } from "./fit-request.ts";

/** Forecasts by block of neighbouring windows, and the teacher that made them. */
interface Kept {
  readonly by: string;
  readonly blocks: (TensorData | undefined)[];
}

/** Forecasts of the last teacher for each set of windows: in a search, all fits have the same one. */
const lastKept = new WeakMap<WindowSet, Kept>();

/** Forecasts are kept up to this size in bytes; for larger data sets they are computed again for each batch. */
const maxKept = 2 ** 28;

/** Input of the teacher's forecasts. */
interface TeacherRequest {
  readonly teacher: Teacher;
  readonly backend: Backend;
  readonly train: WindowSet;
  readonly batchSize: number;
  /** Number of batches in an epoch. */
  readonly batchesPerEpoch: number;
}

/**
 * Forecasts of a teacher for batches of training windows. If every epoch passes over all windows, each forecast is
 * computed once and kept, for further fits with the same windows and teacher too: in blocks of neighbouring windows, so that
 * a resumed fit is given the same numbers as an uninterrupted one.
 */
export class TeacherForecasts {
  readonly #state: State;
  readonly #program: Program;
  readonly #forecast: (indices: Int32Array) => Promise<TensorData>;
  readonly #windows: number;
  readonly #block: number;
  /** By block; undefined if forecasts are not kept. */
  readonly #kept: (TensorData | undefined)[] | undefined;

  private constructor(request: TeacherRequest, state: State, program: Program) {
    const { teacher, train, batchSize, batchesPerEpoch } = request;
    const { graph } = teacher.model;
    const inputs = inputsFrom(graph, train);
    const output = graph.outputs[0]!;
    const blocks = Math.ceil(train.count / batchSize);
    const numbers = graph.values[output.value]!.shape.reduce<number>(
      (n, extent) => (typeof extent === "number" ? n * extent : n),
      train.count,
    );
    this.#state = state;
    this.#program = program;
    this.#forecast = async (indices) =>
      (await program.run(inputs(indices), { read: [output.name] })).get(output.name)!;
    this.#windows = train.count;
    this.#block = batchSize;
    if (batchesPerEpoch < Math.floor(train.count / batchSize) || 4 * numbers > maxKept) return;
    const by = `${digest(teacher.model)} ${request.backend.name} ${batchSize}`;
    let kept = lastKept.get(train);
    if (kept?.by !== by) kept = { by, blocks: Array.from({ length: blocks }, () => undefined) };
    lastKept.set(train, kept);
    this.#kept = kept.blocks;
  }

  static async create(request: TeacherRequest): Promise<TeacherForecasts> {
    const { teacher, backend } = request;
    const state = await backend.createState(teacher.model.tensors);
    return new TeacherForecasts(request, state, await backend.compile(teacher.model.graph, { state }));
  }

  /** Forecasts for windows, by their indices. */
  async of(indices: Int32Array): Promise<TensorData> {
    if (this.#kept === undefined) return this.#forecast(indices);
    const rows: Float32Array[] = [];
    let shape: readonly number[] = [];
    for (const index of indices) {
      const block = Math.floor(index / this.#block);
      this.#kept[block] ??= await this.#forecast(this.#indicesOf(block));
      const { shape: all, data } = this.#kept[block];
      const size = data.length / all[0]!;
      const at = (index % this.#block) * size;
      rows.push((data as Float32Array).subarray(at, at + size));
      shape = all.slice(1);
    }
    const data = new Float32Array(rows.length * (rows[0]?.length ?? 0));
    for (const [i, row] of rows.entries()) data.set(row, i * row.length);
    return float32([rows.length, ...shape], data);
  }

  dispose(): void {
    this.#program.dispose();
    this.#state.dispose();
  }

  #indicesOf(block: number): Int32Array {
    const start = block * this.#block;
    const length = Math.min(this.#block, this.#windows - start);
    return Int32Array.from({ length }, (_, i) => start + i);
  }
}
