import { EspalierError } from "@espalier/core/inference";

/**
 * Handling of missing values. `error`: none is accepted. `forward-fill`: the last known value of the series stays
 * (before the first known value, that one). `interpolate`: a straight line between the known neighbours, by rows; held
 * at both ends. It looks ahead in time, `forward-fill` does not (but for a series' start). `drop`: a row with a
 * missing value is left out.
 */
export type MissingRule = "error" | "forward-fill" | "interpolate" | "drop";

/** Every rule, for help texts and validation. */
export const missingRules: readonly MissingRule[] = ["error", "forward-fill", "interpolate", "drop"];

/** How many values were missing, and what was done about it. */
export interface MissingReport {
  readonly rule: MissingRule;
  /** Missing cells over all series. */
  readonly cells: number;
  /** Missing cells of each series that has any. */
  readonly bySeries: Readonly<Record<string, number>>;
  /** Rows left out: only under the rule `drop`. */
  readonly droppedRows: number;
}

/** Rows as they were read: a missing value is NaN. */
export interface RawRows {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: number;
  /** Row-major `[rows × columns]`. */
  readonly values: Float64Array;
  readonly timestamps?: Float64Array | undefined;
  /** `[rows]`, milliseconds that the clock is ahead of UTC, where that changes. */
  readonly offsets?: Float64Array | undefined;
}

/** The rules that put a value in a missing one's place. */
export type FillRule = "forward-fill" | "interpolate";

/**
 * Applies a rule to the missing values (NaN) of rows; the rows given are left as they are.
 *
 * @throws EspalierError under `error` if anything is missing; where a series has no value at all; where no row is left.
 */
export function handleMissing(raw: RawRows, rule: MissingRule): { rows: RawRows; report: MissingReport } {
  const counts = countMissing(raw);
  const cells = counts.reduce((sum, count) => sum + count, 0);
  const bySeries = Object.fromEntries(
    raw.columns.map((c, i) => [c, counts[i]!] as const).filter(([, n]) => n > 0),
  );
  if (cells === 0) return { rows: raw, report: { rule, cells, bySeries, droppedRows: 0 } };
  if (rule === "error") {
    throw new EspalierError(
      `data ${raw.name}: ${cells} values are missing (${Object.keys(bySeries).join(", ")}). Give --missing forward-fill, or --missing drop.`,
    );
  }
  const rows = rule === "drop" ? dropRows(raw) : fillMissing(raw, rule);
  return { rows, report: { rule, cells, bySeries, droppedRows: raw.rows - rows.rows } };
}

function countMissing({ columns, values }: RawRows): number[] {
  const counts = columns.map(() => 0);
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) counts[i % columns.length]!++;
  return counts;
}

function dropRows(raw: RawRows): RawRows {
  const width = raw.columns.length;
  const kept: number[] = [];
  for (let row = 0; row < raw.rows; row++) {
    if (!raw.values.subarray(row * width, (row + 1) * width).some(Number.isNaN)) kept.push(row);
  }
  if (kept.length === 0) {
    throw new EspalierError(
      `data ${raw.name}: every row has a missing value, so --missing drop leaves none. Give --missing forward-fill.`,
    );
  }
  const values = new Float64Array(kept.length * width);
  kept.forEach((row, to) => {
    values.set(raw.values.subarray(row * width, (row + 1) * width), to * width);
  });
  const of = (all: Float64Array | undefined) => all && Float64Array.from(kept, (row) => all[row]!);
  return { ...raw, rows: kept.length, values, timestamps: of(raw.timestamps), offsets: of(raw.offsets) };
}

/** Rows whose missing values (NaN) are filled. Throws an EspalierError if a series has no value at all. */
export function fillMissing(raw: RawRows, rule: FillRule): RawRows {
  const counts = countMissing(raw);
  const values = raw.values.slice();
  raw.columns.forEach((column, index) => {
    if (counts[index] === raw.rows) {
      throw new EspalierError(
        `data ${raw.name}, column "${column}": every value is missing. Leave the column out (--series).`,
      );
    }
    if (counts[index]! > 0) fillSeries(values, index, raw.columns.length, rule);
  });
  return { ...raw, values };
}

/** Fills one series of row-major values; it has at least one known value. */
function fillSeries(values: Float64Array, column: number, width: number, rule: FillRule): void {
  let before = -1;
  for (let at = column; at < values.length; at += width) {
    if (!Number.isNaN(values[at])) {
      before = at;
      continue;
    }
    let after = at;
    while (after < values.length && Number.isNaN(values[after])) after += width;
    const next = after < values.length ? values[after]! : undefined;
    const last = before >= 0 ? values[before]! : next!;
    for (let gap = at; gap < after; gap += width) {
      const share = rule === "interpolate" && before >= 0 ? (gap - before) / (after - before) : 0;
      values[gap] = last + share * ((next ?? last) - last);
    }
    at = after - width;
  }
}
