import type { Scaler } from "@espalier/datasets";

/** Errors of a forecast: mean squared, mean absolute, and root mean squared. */
export interface Errors {
  readonly mse: number;
  readonly mae: number;
  readonly rmse: number;
}

/** Errors over all windows of a set. */
export interface Metrics extends Errors {
  /** Windows evaluated. */
  readonly windows: number;
  /** By series, in the data's order. */
  readonly series: readonly Errors[];
  /** By step of the horizon, the nearest first. */
  readonly steps: readonly Errors[];
  /** The same in the data's own units; absent if the scaling is not known. */
  readonly original?: Errors & { readonly series: readonly Errors[]; readonly steps: readonly Errors[] };
}

/** Adds up errors over batches. Values are `[windows, horizon, series]`, row-major, in the model's units. */
export class ErrorSums {
  readonly #horizon: number;
  readonly #series: number;
  readonly #squares: Float64Array;
  readonly #absolutes: Float64Array;
  #windows = 0;

  constructor(horizon: number, series: number) {
    this.#horizon = horizon;
    this.#series = series;
    this.#squares = new Float64Array(horizon * series);
    this.#absolutes = new Float64Array(horizon * series);
  }

  /** Adds forecasts and actual values, both [windows, horizon, series], in the model's units. */
  add(forecast: ArrayLike<number>, truth: ArrayLike<number>): void {
    const cells = this.#squares.length;
    for (let i = 0; i < truth.length; i++) {
      const error = forecast[i]! - truth[i]!;
      this.#squares[i % cells]! += error * error;
      this.#absolutes[i % cells]! += Math.abs(error);
    }
    this.#windows += truth.length / cells;
  }

  /** The errors of everything added; also in original units if the scaler is given. */
  metrics(scaler?: Scaler): Metrics {
    const all = Array.from(this.#squares.keys());
    const ofSeries = (s: number) => all.filter((cell) => cell % this.#series === s);
    const ofStep = (h: number) => all.filter((cell) => Math.floor(cell / this.#series) === h);
    const range = (n: number) => Array.from({ length: n }, (_, i) => i);
    const inUnits = (spread?: readonly number[]) => ({
      ...this.#errors(all, spread),
      series: range(this.#series).map((s) => this.#errors(ofSeries(s), spread)),
      steps: range(this.#horizon).map((h) => this.#errors(ofStep(h), spread)),
    });
    return {
      ...inUnits(),
      windows: this.#windows,
      ...(scaler === undefined ? {} : { original: inUnits(scaler.spread) }),
    };
  }

  #errors(cells: readonly number[], spread?: readonly number[]): Errors {
    const unit = (cell: number) => spread?.[cell % this.#series] ?? 1;
    const count = cells.length * this.#windows;
    const mse = cells.reduce((sum, cell) => sum + this.#squares[cell]! * unit(cell) ** 2, 0) / count;
    const mae = cells.reduce((sum, cell) => sum + this.#absolutes[cell]! * unit(cell), 0) / count;
    return { mse, mae, rmse: Math.sqrt(mse) };
  }
}
