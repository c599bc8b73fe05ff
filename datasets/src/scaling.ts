import type { Form } from "@espalier/core/forms";
import * as forms from "@espalier/core/forms";
import { EspalierError } from "@espalier/core/inference";
import type { RowRange, Table } from "./table.ts";

/** `standard`: mean 0 and population standard deviation 1; `min-max`: 0 to 1; `none`: as it is. All per series. */
export type ScaleKind = "standard" | "min-max" | "none";

/** Every kind, for help texts and validation. */
export const scaleKinds: readonly ScaleKind[] = ["standard", "min-max", "none"];

/** How each series is scaled: (value − center) / spread. Plain data, so that it can be stored beside a model. */
export interface Scaler {
  readonly kind: ScaleKind;
  /** `[series]`: the mean (`standard`) or the minimum (`min-max`). */
  readonly center: readonly number[];
  /** `[series]`: the standard deviation, or maximum − minimum; 1 for a series that never changes. */
  readonly spread: readonly number[];
}

const parts = forms.object({
  kind: forms.oneOf(...scaleKinds),
  center: forms.listOf(forms.number),
  spread: forms.listOf(forms.positive),
});

/** Finds what is wrong with a {@link Scaler} that comes from a file. */
export const scalerForm: Form = (value) => {
  const fault = parts(value);
  if (fault !== undefined) return fault;
  const { center, spread } = value as Scaler;
  return center.length === spread.length
    ? undefined
    : { at: "", problem: `${center.length} centers and ${spread.length} spreads` };
};

/**
 * Learns a scaler from some rows of a table: the training split's, so that nothing leaks from validation and test.
 *
 * @throws EspalierError for a range without rows.
 */
export function fitScaler(table: Table, range: RowRange, kind: ScaleKind): Scaler {
  if (range.end <= range.start)
    throw new EspalierError(`data ${table.name}: no rows to learn the scaling from.`);
  const fitted = table.columns.map((_, column) => fitSeries(seriesOf(table, range, column), kind));
  return { kind, center: fitted.map(([center]) => center), spread: fitted.map(([, spread]) => spread) };
}

/**
 * A table with every series scaled; name, dates and step stay.
 *
 * @throws EspalierError if a scaled value is beyond the 32-bit numbers that models calculate with.
 */
export function scaleTable(table: Table, scaler: Scaler): Table {
  const values = scaleValues(table.values, scaler);
  const beyond = values.findIndex((value) => !Number.isFinite(Math.fround(value)));
  if (beyond < 0) return { ...table, values };
  const column = beyond % table.columns.length;
  throw new EspalierError(
    `data ${table.name}, series "${table.columns[column]}": ${table.values[beyond]} is too far from the values that its scaling was learned from (about ${scaler.center[column]}, spread ${scaler.spread[column]}). Correct it, or leave the series out (--series).`,
  );
}

/**
 * Scales values whose last axis is the series, `[…, series]`, into a new array of the same type.
 *
 * @throws EspalierError if the values are not a whole number of rows.
 */
export function scaleValues<T extends Float32Array | Float64Array>(values: T, scaler: Scaler): T {
  return mapSeries(values, scaler, (value, center, spread) => (value - center) / spread);
}

/**
 * Brings scaled values `[…, series]` back to their own units, into a new array of the same type.
 *
 * @throws EspalierError if the values are not a whole number of rows.
 */
export function unscaleValues<T extends Float32Array | Float64Array>(values: T, scaler: Scaler): T {
  return mapSeries(values, scaler, (value, center, spread) => value * spread + center);
}

function mapSeries<T extends Float32Array | Float64Array>(
  values: T,
  { center, spread }: Scaler,
  of: (value: number, center: number, spread: number) => number,
): T {
  const series = center.length;
  if (values.length % series !== 0) {
    throw new EspalierError(
      `scaling: ${values.length} values are not a whole number of rows of ${series} series.`,
    );
  }
  const out = values.slice() as T;
  for (let i = 0; i < out.length; i++) out[i] = of(out[i]!, center[i % series]!, spread[i % series]!);
  return out;
}

function seriesOf({ values, columns }: Table, { start, end }: RowRange, column: number): Float64Array {
  const series = new Float64Array(end - start);
  for (let row = start; row < end; row++) series[row - start] = values[row * columns.length + column]!;
  return series;
}

function fitSeries(series: Float64Array, kind: ScaleKind): readonly [center: number, spread: number] {
  if (kind === "none") return [0, 1];
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const value of series) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  // A constant series is told by its extremes: its variance may be rounding noise instead of 0.
  if (min === max) return [min, 1];
  if (kind === "min-max") return [min, max - min];
  const mean = sum / series.length;
  const deviation = (unit: number) => {
    let squares = 0;
    for (const value of series) squares += ((value - mean) / unit) ** 2;
    return unit * Math.sqrt(squares / series.length);
  };
  const spread = deviation(1);
  if (spread > 0 && spread < Number.POSITIVE_INFINITY) return [mean, spread];
  // Squares of what is very small or very large are no doubles: in units of the largest deviation they are.
  return [mean, deviation(Math.max(max - mean, mean - min)) || 1];
}
