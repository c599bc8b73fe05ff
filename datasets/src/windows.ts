import * as forms from "@espalier/core/forms";
import { EspalierError } from "@espalier/core/inference";
import type { RowRange, Table } from "./table.ts";
import type { TimeFeatures } from "./time-features.ts";

/** How windows are cut. Lengths are in rows. */
export interface WindowOptions {
  /** Rows that the model sees. */
  readonly inputLength: number;
  /** Rows that it forecasts: those right after the input. */
  readonly horizon: number;
  /** Last rows of the input that a decoder starts from (Transformer, Informer, Autoformer). Default 0. */
  readonly labelLength?: number | undefined;
  /** Rows from one window to the next. Default 1. */
  readonly stride?: number | undefined;
  /** Calendar features of the table's rows; `false` for none. Default: by the table's step, if it has dates. */
  readonly marks?: TimeFeatures | false | undefined;
}

/** Arrays of a batch of n windows, row-major, float32. The marks are absent if the table has no dates. */
export interface Batch {
  /** Input `[n, inputLength, series]`. */
  readonly x: Float32Array;
  /** Target `[n, horizon, series]`. */
  readonly y: Float32Array;
  /** Decoder's input `[n, labelLength + horizon, series]`: the last rows of the input, then zeros. */
  readonly xDec: Float32Array;
  /** Time marks of the input `[n, inputLength, marks]`. */
  readonly xMark?: Float32Array;
  /** Time marks of the decoder's rows `[n, labelLength + horizon, marks]`. */
  readonly yMark?: Float32Array;
}

/** All windows over a range of rows, in the order of time. */
export interface WindowSet {
  /** Number of windows. */
  readonly count: number;
  /** The rows that the windows lie in, input and target. */
  readonly range: RowRange;
  readonly inputLength: number;
  readonly horizon: number;
  readonly labelLength: number;
  readonly stride: number;
  /** Width of x and y. */
  readonly series: number;
  /** Width of the marks, 0 without. */
  readonly marks: number;
  /** The table's row that a window's input starts at. */
  rowOf(index: number): number;
  /** The windows of the given indices, in new arrays. Throws an EspalierError for an index that is not there. */
  batch(indices: ArrayLike<number>): Batch;
  /** The same into arrays of the caller's, of exactly the batch's sizes; what is left out is not written. */
  fill(indices: ArrayLike<number>, into: Partial<Batch>): void;
}

const { count, object, such } = forms;
const length = such("a whole number from 1", (value) => count(value) === undefined && value !== 0);
const optionsForm = object(
  { inputLength: length, horizon: length },
  {
    labelLength: count,
    stride: length,
    marks: such("time features or false", (value) => value === false || typeof value === "object"),
  },
);

function checkOptions(options: WindowOptions): void {
  const fault = optionsForm(options);
  if (fault !== undefined) throw new EspalierError(`windows: option "${fault.at}": ${fault.problem}.`);
  const { labelLength = 0, inputLength } = options;
  if (labelLength > inputLength) {
    throw new EspalierError(
      `windows: option "labelLength": ${labelLength} is longer than inputLength, ${inputLength}.`,
    );
  }
}

/**
 * Like `windows`, but with those marks only that are given: none by default. So a page loads the code that makes
 * calendar features only if its model has marks.
 *
 * @throws EspalierError for options or a range that make no sense.
 */
export function cutWindows(table: Table, range: RowRange, options: WindowOptions): WindowSet {
  checkOptions(options);
  const { inputLength, horizon, labelLength = 0, stride = 1, marks } = options;
  const { start, end } = range;
  if (
    !(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= table.rows)
  ) {
    throw new EspalierError(
      `data ${table.name}: rows ${start} to ${end} are not inside its ${table.rows} rows.`,
    );
  }
  const features = marksOf(table, marks);
  const series = table.columns.length;
  const width = features?.names.length ?? 0;
  const decoded = labelLength + horizon;
  const starts = table.breaks && unbroken(range, inputLength + horizon, stride, table.breaks);
  const count = starts?.length ?? windowsIn(end - start, inputLength + horizon, stride);

  const rowOf = (index: number): number => {
    if (!(Number.isInteger(index) && index >= 0 && index < count)) {
      throw new EspalierError(`data ${table.name}: there is no window ${index}, only 0 to ${count - 1}.`);
    }
    return starts?.[index] ?? start + index * stride;
  };

  const fill = (indices: ArrayLike<number>, { x, y, xDec, xMark, yMark }: Partial<Batch>): void => {
    const n = indices.length;
    expectLength("x", x, n * inputLength * series);
    expectLength("y", y, n * horizon * series);
    expectLength("xDec", xDec, n * decoded * series);
    expectLength("xMark", xMark, n * inputLength * width);
    expectLength("yMark", yMark, n * decoded * width);
    xDec?.fill(0);
    for (let i = 0; i < n; i++) {
      const from = rowOf(indices[i]!);
      const until = from + inputLength;
      copyRows(table.values, series, from, inputLength, x, i * inputLength);
      copyRows(table.values, series, until, horizon, y, i * horizon);
      copyRows(table.values, series, until - labelLength, labelLength, xDec, i * decoded);
      if (features === undefined) continue;
      copyRows(features.values, width, from, inputLength, xMark, i * inputLength);
      copyRows(features.values, width, until - labelLength, decoded, yMark, i * decoded);
    }
  };

  const batch = (indices: ArrayLike<number>): Batch => {
    const n = indices.length;
    const plain = {
      x: new Float32Array(n * inputLength * series),
      y: new Float32Array(n * horizon * series),
      xDec: new Float32Array(n * decoded * series),
    };
    const marked = features && {
      xMark: new Float32Array(n * inputLength * width),
      yMark: new Float32Array(n * decoded * width),
    };
    const into: Batch = { ...plain, ...marked };
    fill(indices, into);
    return into;
  };

  return {
    count,
    range,
    inputLength,
    horizon,
    labelLength,
    stride,
    series,
    marks: width,
    rowOf,
    batch,
    fill,
  };
}

function windowsIn(rows: number, length: number, stride: number): number {
  return Math.max(0, Math.floor((rows - length) / stride) + 1);
}

/** The rows that windows start at, if none may reach across a break. */
function unbroken(
  { start, end }: RowRange,
  length: number,
  stride: number,
  breaks: readonly number[],
): number[] {
  const edges = [start, ...breaks.filter((row) => row > start && row < end), end];
  return edges.slice(1).flatMap((edge, i) => {
    const from = edges[i]!;
    return Array.from({ length: windowsIn(edge - from, length, stride) }, (_, k) => from + k * stride);
  });
}

/** Every n-th window of a set, from the first on, so that at most so many are left; the set itself where it is no larger. */
export function spacedWindows(set: WindowSet, most: number): WindowSet {
  const step = Math.ceil(set.count / most);
  if (step <= 1) return set;
  const count = Math.ceil(set.count / step);
  const expand = (indices: ArrayLike<number>): number[] =>
    Array.from(indices, (index) => (index < count ? index * step : set.count));
  return {
    ...set,
    count,
    stride: set.stride * step,
    rowOf: (index) => set.rowOf(index < count ? index * step : set.count),
    batch: (indices) => set.batch(expand(indices)),
    fill: (indices, into) => set.fill(expand(indices), into),
  };
}

function marksOf(table: Table, marks: TimeFeatures | false | undefined): TimeFeatures | undefined {
  if (marks === false || marks === undefined) return undefined;
  if (marks.values.length !== table.rows * marks.names.length) {
    throw new EspalierError(`data ${table.name}: the marks are not those of its ${table.rows} rows.`);
  }
  return marks;
}

function expectLength(name: string, array: Float32Array | undefined, length: number): void {
  if (array !== undefined && array.length !== length) {
    throw new EspalierError(`windows: ${name} has ${array.length} elements, the batch needs ${length}.`);
  }
}

function copyRows(
  from: Float64Array | Float32Array,
  width: number,
  row: number,
  count: number,
  into: Float32Array | undefined,
  toRow: number,
): void {
  into?.set(from.subarray(row * width, (row + count) * width), toRow * width);
}
