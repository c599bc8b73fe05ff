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
  dataOf,
  frequencyOf,
  inputsFrom,
  type ModelData,
  type Scaler,
  scaleTable,
  stepFor,
  type Table,
  timeFeatures,
  unscaleValues,
  type WindowShape,
  windowShapeOf,
  windows,
  withFutureRows,
} from "@espalier/datasets";
import { decodeModelOnDemand } from "@espalier/formats";
import { RecentRows } from "./recent-rows.ts";
import { checkRows, type GivenRows, type Moment, type RowOptions, tableOf } from "./rows.ts";

/** What a forecaster has to know of a model's data. */
type Known = Pick<ModelData, "series" | "scaler" | "frequency" | "step" | "constant">;

/** How a forecaster runs. */
export interface ForecasterOptions {
  /** What runs the model; by default Espalier's WebAssembly kernels. */
  readonly backend?: Backend | undefined;
  /** Threads of the default backend: 1 by default. */
  readonly threads?: number | undefined;
  /** Compiled kernels of the default backend, for engines that compile none at run time: see `wasm` of its package. */
  readonly module?: WebAssembly.Module | undefined;
  /** Columns, scaling and frequency of a model whose file does not know them, such as one that was read from ONNX. */
  readonly data?: Known | undefined;
}

/**
 * Values that follow rows, in their units: with the decimals that a 32-bit forecast says something about. A series that
 * never changed in training, and does not in the rows, stays as it is.
 */
export interface Forecast {
  /** `[rows × columns]`, row by row. */
  readonly values: Float64Array;
  readonly rows: number;
  readonly columns: readonly string[];
  /** `[rows]`, milliseconds; absent if the rows had none. */
  readonly timestamps?: Float64Array;
  /** `[rows]`, milliseconds that the clock is ahead of UTC; absent if the rows had none. */
  readonly offsets?: Float64Array;
}

/** Rows that arrive one at a time. */
export interface ForecastStream {
  /** Takes one row; gives the forecast from it on, undefined until the model has seen as many rows as it looks back on. */
  push(
    row: ArrayLike<number> | Readonly<Record<string, unknown>>,
    at?: Moment,
  ): Promise<Forecast | undefined>;
}

/** A model that was made ready to forecast. */
export interface Forecaster {
  /** Names of the series, in the model's order. */
  readonly columns: readonly string[];
  /** Rows that it looks back on. */
  readonly inputLength: number;
  /** Rows that it forecasts. */
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
  /** Starts a stream: it keeps the rows that the model looks back on. Any number of streams share the model. */
  stream(options?: Pick<RowOptions, "columns">): ForecastStream;
  /** Frees the model's memory. */
  dispose(): void;
  /** The same, for `using`. */
  [Symbol.dispose](): void;
}

/**
 * Makes a model ready to forecast: scaling, columns, window and calendar come from its file, and it is compiled once.
 *
 * @param source bytes of a model file (`.safetensors` of Espalier), or a model that was read from another kind.
 * @throws EspalierError for bytes that are no model, or a model that does not forecast windows or does not know its data.
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
      `model ${model.name} does not know its data's columns and scaling, so no forecast of it has units. Train it on data first, or give { data: { series, scaler } }.`,
    );
  }
  if (data.series.length !== shape.series || data.scaler.center.length !== shape.series) {
    throw new EspalierError(
      `model ${model.name} forecasts ${shape.series} series, its data has ${data.series.length} and a scaling of ${data.scaler.center.length}.`,
    );
  }
  const { threads, module } = options;
  const own = { training: false, ...(threads === undefined ? {} : { threads }), ...(module && { module }) };
  const backend = options.backend ?? wasm(own);
  const state = await backend.createState(model.tensors);
  try {
    const program = await backend.compile(model.graph, { state, batch: [1] });
    return new ModelForecaster(model, data, shape, state, program);
  } catch (error) {
    state.dispose();
    throw error;
  }
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
  readonly #state: State;
  readonly #program: Program;
  #disposed = false;

  constructor(model: Model, data: Known, shape: WindowShape, state: State, program: Program) {
    this.columns = data.series;
    this.inputLength = shape.inputLength;
    this.horizon = shape.horizon;
    this.needsTimestamps = shape.marks > 0;
    this.#model = model;
    this.#data = data;
    this.#shape = shape;
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

  /** The model's inputs for the last rows of a table, and what its output means. */
  #window(table: Table) {
    const { inputLength, horizon, labelLength, marks } = this.#shape;
    const { scaler, frequency, constant = [] } = this.#data;
    const { name, columns, rows } = table;
    if (rows < inputLength) {
      throw new EspalierError(`data ${name}: ${rows} rows, the model looks back on ${inputLength}.`);
    }
    checkRows(table, rows - inputLength);
    if (marks > 0 && table.timestamps === undefined) {
      throw new EspalierError(`data ${name}: has no dates, and the model takes time marks.`);
    }
    const gap = table.breaks?.find((row) => row > rows - inputLength);
    if (gap !== undefined) {
      throw new EspalierError(
        `data ${name}: the last ${inputLength} rows, which the model sees, reach across a gap ${rows - gap} rows before the end. Give --gaps fill or warn.`,
      );
    }
    const extended = withFutureRows(table, horizon, stepFor(this.#data, table));
    const seen = lastRows(extended, inputLength + horizon);
    const window = windows(
      scaleTable(seen, scaler),
      { start: 0, end: seen.rows },
      {
        inputLength,
        horizon,
        labelLength,
        marks: marks > 0 && timeFeatures(seen.timestamps!, frequency ?? frequencyOf(table)),
      },
    );
    return {
      inputs: inputsFrom(this.#model.graph, window)([0]) as Tensors,
      forecastOf: (output: TensorData): Forecast => {
        const values = unscaleValues(Float64Array.from(output.data), scaler);
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

/** A forecast without the decimals that are below a float32's last digit, in units of the series' spread. */
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

/** The rows that a model sees and those to come, without what lies before them. */
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
  const { shape } = all[0]!.inputs.get(name)!;
  const parts = all.map(({ inputs }) => inputs.get(name)!.data);
  const data = new Float32Array(parts.length * parts[0]!.length);
  parts.forEach((part, i) => {
    data.set(part, i * part.length);
  });
  return float32([parts.length * shape[0]!, ...shape.slice(1)], data);
}
