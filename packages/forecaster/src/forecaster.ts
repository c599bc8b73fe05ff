import { wasm } from "@espalier/backend-wasm";
import {
  type Backend,
  EspalierError,
  float32,
  type Model,
  type Program,
  type State,
  type TensorData,
  type Tensors,
} from "@espalier/core/inference";
import {
  cutWindows,
  dataOf,
  frequencyOf,
  inputsFrom,
  type ModelData,
  type Scaler,
  scaleTable,
  stepFor,
  type Table,
  unscaleValues,
  type WindowShape,
  windowShapeOf,
  withFutureRows,
} from "@espalier/datasets/inference";
import { decodeModelOnDemand } from "@espalier/formats";
import { RecentRows } from "./recent-rows.ts";
import { checkRows, type GivenRows, type Moment, type RowOptions, tableOf } from "./rows.ts";

/** Facts about a model's data that a forecaster needs. */
type Known = Pick<ModelData, "series" | "scaler" | "frequency" | "step" | "constant">;

/** Options of a forecaster. */
export interface ForecasterOptions {
  /** Runs the model; by default Espalier's WebAssembly kernels. */
  readonly backend?: Backend | undefined;
  /** Threads of the default backend: 1 by default. */
  readonly threads?: number | undefined;
  /** Compiled kernels for the default backend, for engines that cannot compile at run time: see `wasm` in its package. */
  readonly module?: WebAssembly.Module | undefined;
  /** Columns, scaling and frequency for a model whose file does not have them, such as one imported from ONNX. */
  readonly data?: Known | undefined;
}

/**
 * Forecast values in the units of the rows, with as many decimals as a 32-bit forecast supports. A series that never
 * changed, neither in training nor in the rows, stays constant.
 */
export interface Forecast {
  /** `[rows × columns]`, row by row. */
  readonly values: Float64Array;
  readonly rows: number;
  readonly columns: readonly string[];
  /** `[rows]`, milliseconds; absent if the rows had none. */
  readonly timestamps?: Float64Array;
  /** `[rows]`, offset of local time from UTC in milliseconds; absent if the rows had none. */
  readonly offsets?: Float64Array;
}

/** A stream of rows that arrive one at a time. */
export interface ForecastStream {
  /**
   * Takes one row and returns the forecast from there; undefined until the model has seen as many rows as it looks back
   * on.
   */
  push(
    row: ArrayLike<number> | Readonly<Record<string, unknown>>,
    at?: Moment,
  ): Promise<Forecast | undefined>;
}

/** A model that is ready to forecast. */
export interface Forecaster {
  /** Names of the series, in the model's order. */
  readonly columns: readonly string[];
  /** Number of rows that it looks back on. */
  readonly inputLength: number;
  /** Number of rows that it forecasts. */
  readonly horizon: number;
  /** Whether the model reads the calendar: rows then need timestamps. */
  readonly needsTimestamps: boolean;
  /**
   * Forecasts the rows after the last one. More rows than `inputLength` may be given; the last ones count.
   *
   * @throws EspalierError for too few rows, missing columns, values that are not numbers, or rows out of order.
   */
  forecast(rows: GivenRows, options?: RowOptions): Promise<Forecast>;
  /** Forecasts from several sets of rows in one run of the model, which is faster than one after the other. */
  forecastMany(
    sets: readonly { readonly rows: GivenRows; readonly timestamps?: RowOptions["timestamps"] }[],
    options?: Pick<RowOptions, "columns">,
  ): Promise<Forecast[]>;
  /** Starts a stream, which remembers the rows that the model looks back on. Any number of streams can share the model. */
  stream(options?: Pick<RowOptions, "columns">): ForecastStream;
  /** Frees the model's memory. */
  dispose(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * Prepares a model for forecasting: scaling, columns, window and calendar come from its file, and it is compiled once.
 *
 * @param source bytes of a model file (Espalier's `.safetensors`), or a model read from another format.
 * @throws EspalierError for bytes that are not a model, or a model that does not forecast windows or does not know its
 *   data.
 */
export async function createForecaster(
  source: Uint8Array | ArrayBuffer | Model,
  options: ForecasterOptions = {},
): Promise<Forecaster> {
  const model = await modelOf(source);
  const data = options.data ?? dataOf(model);
  const shape = windowShapeOf(model.graph);
  if (data === undefined) {
    throw new EspalierError(
      `model ${model.name} does not know its data's columns and scaling, so its forecasts have no units. Train it on data first, or give { data: { series, scaler } }.`,
    );
  }
  if (data.series.length !== shape.series || data.scaler.center.length !== shape.series) {
    throw new EspalierError(
      `model ${model.name} forecasts ${shape.series} series, but its data has ${data.series.length}, and a scaling of ${data.scaler.center.length}.`,
    );
  }
  const { threads, module } = options;
  const own = { training: false, ...(threads === undefined ? {} : { threads }), ...(module && { module }) };
  const backend = options.backend ?? wasm(own);
  const state = await backend.createState(model.tensors);
  try {
    const program = await backend.compile(model.graph, { state, batch: [1] });
    return new ModelForecaster(model, data, shape, await marksOf(shape), state, program);
  } catch (error) {
    state.dispose();
    throw error;
  }
}

/** Makes the time marks of a model that has some: loaded for it alone. */
async function marksOf({ marks, calendar }: WindowShape) {
  if (marks === 0) return undefined;
  const { calendarNumbers, timeFeatures } = await import("@espalier/datasets/time-features");
  return calendar ? calendarNumbers : timeFeatures;
}

async function modelOf(source: Uint8Array | ArrayBuffer | Model): Promise<Model> {
  const bytes = source instanceof ArrayBuffer ? new Uint8Array(source) : source;
  if (bytes instanceof Uint8Array) return decodeModelOnDemand(bytes);
  if (typeof bytes === "object" && bytes !== null && "graph" in bytes) return bytes;
  throw new EspalierError("createForecaster: give the bytes of a model file, or a model.");
}

class ModelForecaster implements Forecaster {
  readonly columns: readonly string[];
  readonly inputLength: number;
  readonly horizon: number;
  readonly needsTimestamps: boolean;
  readonly #model: Model;
  readonly #data: Known;
  readonly #shape: WindowShape;
  readonly #marks: Awaited<ReturnType<typeof marksOf>>;
  readonly #state: State;
  readonly #program: Program;
  #disposed = false;

  constructor(
    model: Model,
    data: Known,
    shape: WindowShape,
    marks: Awaited<ReturnType<typeof marksOf>>,
    state: State,
    program: Program,
  ) {
    this.columns = data.series;
    this.inputLength = shape.inputLength;
    this.horizon = shape.horizon;
    this.needsTimestamps = shape.marks > 0;
    this.#model = model;
    this.#data = data;
    this.#shape = shape;
    this.#marks = marks;
    this.#state = state;
    this.#program = program;
  }

  async forecast(rows: GivenRows, options: RowOptions = {}): Promise<Forecast> {
    const window = this.#window(tableOf(rows, options, this.columns));
    return window.forecastOf(await this.#run(window.inputs));
  }

  async forecastMany(
    sets: readonly { readonly rows: GivenRows; readonly timestamps?: RowOptions["timestamps"] }[],
    { columns }: Pick<RowOptions, "columns"> = {},
  ): Promise<Forecast[]> {
    if (sets.length === 0) return [];
    const all = sets.map(({ rows, timestamps }) =>
      this.#window(tableOf(rows, { timestamps, columns }, this.columns)),
    );
    const inputs = new Map([...all[0]!.inputs.keys()].map((name) => [name, joined(all, name)]));
    const output = await this.#run(inputs);
    const size = output.data.length / all.length;
    return all.map((window, i) =>
      window.forecastOf(float32([1, size], output.data.subarray(i * size, (i + 1) * size))),
    );
  }

  stream({ columns = this.columns }: Pick<RowOptions, "columns"> = {}): ForecastStream {
    const seen = new RecentRows(this.columns, this.inputLength);
    return {
      push: async (row, at) => {
        const timestamps = at === undefined ? undefined : [at];
        const rows = [row] as readonly ArrayLike<number>[];
        seen.push(tableOf(rows, { columns, timestamps }, this.columns));
        return seen.rows < this.inputLength ? undefined : this.forecast(seen.table());
      },
    };
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#program.dispose();
    this.#state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #run(inputs: Tensors): Promise<TensorData> {
    if (this.#disposed) throw new EspalierError("this forecaster was disposed of: create another one.");
    const outputs = await this.#program.run(inputs);
    return outputs.get(this.#model.graph.outputs[0]!.name)!;
  }

  /** The model's inputs for the last rows of a table, and how to read its output. */
  #window(table: Table) {
    const { inputLength, horizon, labelLength } = this.#shape;
    const { scaler, frequency, constant = [] } = this.#data;
    const { name, columns, rows } = table;
    if (rows < inputLength) {
      throw new EspalierError(
        `data ${name}: it has ${rows} rows, but the model looks back on ${inputLength}.`,
      );
    }
    checkRows(table, rows - inputLength);
    if (this.needsTimestamps && table.timestamps === undefined) {
      throw new EspalierError(`data ${name}: it has no dates, but the model needs time features.`);
    }
    const gap = table.breaks?.find((row) => row > rows - inputLength);
    if (gap !== undefined) {
      throw new EspalierError(
        `data ${name}: the last ${inputLength} rows, which the model sees, reach across a gap ${rows - gap} rows before the end. Give --gaps fill or warn.`,
      );
    }
    const extended = withFutureRows(table, horizon, stepFor(this.#data, table));
    const seen = lastRows(extended, inputLength + horizon);
    const window = cutWindows(
      scaleTable(seen, scaler),
      { start: 0, end: seen.rows },
      {
        inputLength,
        horizon,
        labelLength,
        marks: this.#marks?.(seen.timestamps!, frequency ?? frequencyOf(table)),
      },
    );
    return {
      inputs: inputsFrom(this.#model.graph, window)([0]) as Tensors,
      forecastOf: (output: TensorData): Forecast => {
        const values = unscaleValues(Float64Array.from(output.data), scaler);
        const odd = values.findIndex((value) => !Number.isFinite(value));
        if (odd >= 0) {
          throw new EspalierError(
            `model ${this.#model.name}: its forecast of "${columns[odd % columns.length]}" is ${values[odd]}. Are rows of ${name} far from all that it was trained on?`,
          );
        }
        columns.forEach((column, i) => {
          const still = constant.includes(column) && neverChanges(seen, i, inputLength);
          for (let at = i; at < values.length; at += columns.length) {
            values[at] = still ? seen.values[i]! : rounded(values[at]!, scaler, i);
          }
        });
        return {
          values,
          rows: horizon,
          columns,
          ...(extended.timestamps && { timestamps: extended.timestamps.slice(rows) }),
          ...(extended.offsets && { offsets: extended.offsets.slice(rows) }),
        };
      },
    };
  }
}

/** Digits of a float32. */
const digits = 7;

/** Rounds a forecast to the precision of a float32, relative to the spread of the series. */
function rounded(value: number, { kind, spread }: Scaler, column: number): number {
  const size = kind === "none" ? Math.abs(value) : spread[column]!;
  const decimals = digits - 1 - Math.floor(Math.log10(size));
  return size > 0 && decimals <= 100 ? Number(value.toFixed(Math.max(0, decimals))) : value;
}

function neverChanges({ values, columns }: Table, column: number, rows: number): boolean {
  for (let row = 1; row < rows; row++) {
    if (values[row * columns.length + column] !== values[column]) return false;
  }
  return true;
}

/** The rows that a model sees and those to come, without earlier rows. */
function lastRows(table: Table, rows: number): Table {
  const { columns, values, timestamps, offsets: _o, breaks: _b, ...rest } = table;
  return {
    ...rest,
    columns,
    rows,
    values: values.subarray(values.length - rows * columns.length),
    ...(timestamps && { timestamps: timestamps.subarray(timestamps.length - rows) }),
  };
}

/** One input of several windows, in one batch. */
function joined(all: readonly { readonly inputs: Tensors }[], name: string): TensorData {
  const { shape, dtype } = all[0]!.inputs.get(name)!;
  const parts = all.map(({ inputs }) => inputs.get(name)!.data);
  const size = parts.length * parts[0]!.length;
  const data = dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
  parts.forEach((part, i) => {
    data.set(part, i * part.length);
  });
  return { dtype, shape: [parts.length * shape[0]!, ...shape.slice(1)], data } as TensorData;
}
