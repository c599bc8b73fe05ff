import { EspalierError } from "@espalier/core";
import { isBeyond } from "./bounds.ts";
import { after } from "./continue.ts";
import type { GapRule } from "./gap-rules.ts";
import { type FillRule, fillMissing, type MissingRule, type RawRows } from "./missing.ts";
import { type Clock, type KnownStep, stepsBefore } from "./step.ts";

/** A place where a row is not one step after the one before it. */
interface Irregularity {
  /** The row after it, from 0. */
  readonly row: number;
  /** Steps from the row before: see {@link stepsBefore}. */
  readonly steps: number;
}

function irregularities(clock: Clock, step: KnownStep): Irregularity[] {
  const found: Irregularity[] = [];
  for (let row = 1; row < clock.timestamps.length; row++) {
    const steps = stepsBefore(clock, row, step);
    if (steps !== 1) found.push({ row, steps });
  }
  return found;
}

/** Rows of a table as they were read, with their dates. */
export interface DatedRows extends RawRows {
  readonly timestamps: Float64Array;
  /** The zone that the clock follows, where it is known. */
  readonly zone?: string | undefined;
}

/** Handling of an irregular time axis. */
export interface GapResult {
  readonly rows: DatedRows;
  /** Rows that windows never reach across. */
  readonly breaks?: readonly number[];
  /** The irregularity in one line; absent for a regular axis. */
  readonly note?: string;
}

/**
 * Looks at the time axis of rows and applies a rule to what is irregular.
 *
 * @param show a row's date as the file has it.
 * @throws EspalierError under `error`; under `fill` where rows lie between two steps, or too many would be put in.
 */
export function handleGaps(
  rows: DatedRows,
  step: KnownStep,
  rule: GapRule,
  missing: MissingRule,
  show: (row: number) => string,
  maxCells = 100_000_000,
): GapResult {
  const found = irregularities(rows, step);
  if (found.length === 0) return { rows };
  const what = `${described(found, step, show)}${hintOf(found, rows, step)}`;
  if (rule === "error") {
    throw new EspalierError(`data ${rows.name}: ${what}. Give --gaps fill, split or warn.`);
  }
  if (rule === "split") {
    return {
      rows,
      breaks: found.map(({ row }) => row),
      note: `${what}; windows do not reach across`,
    };
  }
  if (rule === "warn")
    return { rows, note: `${what}; windows reach across (--gaps fill or split changes that)` };
  const between = found.find(({ steps }) => !Number.isInteger(steps) || steps < 0);
  if (between !== undefined) {
    throw new EspalierError(
      `data ${rows.name}: ${show(between.row)} is not a whole number of steps of ${step.label} after ${show(between.row - 1)}, so --gaps fill cannot fill. Give --gaps split or warn.`,
    );
  }
  return {
    rows: filled(rows, found, step, missing, maxCells, show),
    note: `${what}; ${filledBy(found, missing)}`,
  };
}

function described(found: readonly Irregularity[], step: KnownStep, show: (row: number) => string): string {
  const gaps = found.filter(({ steps }) => Number.isInteger(steps) && steps > 1);
  const repeats = found.filter(({ steps }) => steps === 0);
  const back = found.filter(({ steps }) => steps < 0);
  const uneven = found.filter(({ steps }) => steps > 0 && !Number.isInteger(steps));
  const missing = gaps.reduce((sum, { steps }) => sum + steps - 1, 0);
  const first = (list: readonly Irregularity[]) => (list.length > 1 ? ", the first" : "");
  const parts = [
    gaps.length > 0 &&
      `${missing} ${missing === 1 ? "row is" : "rows are"} missing${gaps.length > 1 ? ` in ${gaps.length} gaps` : ""}${first(gaps)} after ${show(gaps[0]!.row - 1)}`,
    repeats.length > 0 &&
      `${repeats.length} ${repeats.length === 1 ? "row repeats" : "rows repeat"} the moment before${first(repeats)} at ${show(repeats[0]!.row)}`,
    back.length > 0 && `the clock is set back${first(back)} at ${show(back[0]!.row)}`,
    uneven.length > 0 &&
      `${uneven.length} ${uneven.length === 1 ? "row is" : "rows are"} not ${step.label} after the one before${first(uneven)} at ${show(uneven[0]!.row)}`,
  ];
  return `rows every ${step.label}, but ${parts.filter((part) => part !== false).join("; ")}`;
}

/** An hour, or half of one, that is missing or doubled on a Sunday in spring or autumn is summer time. */
function hintOf(found: readonly Irregularity[], { timestamps, offsets }: Clock, step: KnownStep): string {
  if (offsets !== undefined || step.calendar !== undefined || step.milliseconds > 3_600_000) return "";
  const likely = found.filter(({ row, steps }) => {
    const before = new Date(timestamps[row - 1]!);
    const off = Math.abs((steps - 1) * step.milliseconds);
    // Lord Howe's summer time is half an hour.
    return (
      (off === 3_600_000 || off === 1_800_000) &&
      before.getUTCHours() <= 3 &&
      (before.getUTCDay() === 0 || before.getUTCDay() === 6)
    );
  });
  return likely.length > 0 && likely.length >= found.length / 2
    ? " (summer time? --time-zone Europe/Berlin, or another, accounts for it)"
    : "";
}

function filledBy(found: readonly Irregularity[], missing: MissingRule): string {
  const count = found.reduce((sum, { steps }) => sum + Math.max(0, steps - 1), 0);
  const dropped = found.filter(({ steps }) => steps === 0).length;
  return [
    ...(count > 0 ? [`${count} filled by ${fillRule(missing)}`] : []),
    ...(dropped > 0 ? [`of each moment the last row counts`] : []),
  ].join(", ");
}

function fillRule(missing: MissingRule): FillRule {
  return missing === "interpolate" ? "interpolate" : "forward-fill";
}

function filled(
  rows: DatedRows,
  found: readonly Irregularity[],
  step: KnownStep,
  missing: MissingRule,
  maxCells: number,
  show: (row: number) => string,
): DatedRows {
  const width = rows.columns.length;
  const extra = found.reduce((sum, { steps }) => sum + steps - 1, 0);
  const total = rows.rows + extra;
  if (isBeyond(total * width, rows.values.length, maxCells)) {
    const widest = found.reduce((a, b) => (b.steps > a.steps ? b : a));
    throw new EspalierError(
      `data ${rows.name}: filling its gaps makes ${total} rows of ${rows.rows}; the widest is before ${show(widest.row)}. Correct that date, or give --gaps split.`,
    );
  }
  const at = new Map(found.map(({ row, steps }) => [row, steps]));
  const values = new Float64Array(total * width).fill(Number.NaN);
  const timestamps = new Float64Array(total);
  const offsets = rows.offsets && new Float64Array(total);
  let to = -1;
  for (let row = 0; row < rows.rows; row++) {
    const steps = at.get(row) ?? 1;
    for (let k = 1; k < steps; k++) {
      to++;
      const from = { wall: rows.timestamps[row - 1]!, offset: rows.offsets?.[row - 1] ?? 0 };
      const { wall, offset } = after(from, k, step, rows.zone);
      timestamps[to] = wall;
      if (offsets !== undefined) offsets[to] = offset;
    }
    if (steps > 0) to++;
    timestamps[to] = rows.timestamps[row]!;
    if (offsets !== undefined) offsets[to] = rows.offsets![row]!;
    values.set(rows.values.subarray(row * width, (row + 1) * width), to * width);
  }
  return {
    ...fillMissing({ ...rows, rows: total, values, timestamps, offsets }, fillRule(missing)),
    timestamps,
  };
}
