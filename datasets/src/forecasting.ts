import { EspalierError } from "@espalier/core";
import { z } from "zod";
import type { CsvReading } from "./csv/reading.ts";
import { type Frequency, frequencies, marksFrequency } from "./frequency.ts";
import type { GapRule } from "./gap-rules.ts";
import type { MissingReport } from "./missing.ts";
import { formed, parseOptions } from "./options.ts";
import { fitScaler, type ScaleKind, type Scaler, scaleKinds, scalerForm, scaleTable } from "./scaling.ts";
import { type Split, type SplitRule, splitOf, splitRule, withHistory } from "./split.ts";
import type { Table } from "./table.ts";
import { calendarNumbers, type TimeFeatures, timeFeatures } from "./time-features.ts";
import type { WindowSet } from "./windows.ts";
import { windows } from "./windows-by-date.ts";

/** A data set as it was loaded, whatever it came from. */
export interface LoadedDataset {
  readonly name: string;
  readonly table: Table;
  /** SHA-256 in hexadecimal: of the file's bytes; for synthetic data of its values. */
  readonly checksum: string;
  /** The split that goes with the data. */
  readonly splits: SplitRule;
  readonly missing: MissingReport;
  /** How its file was read; absent for what comes from none. */
  readonly reading?: CsvReading | undefined;
  /** The rule on an irregular time axis. */
  readonly gaps?: GapRule | undefined;
  /** Notes for the user, one line each: what was detected, left out, or looks odd. */
  readonly notes?: readonly string[] | undefined;
}

/** How data becomes windows. Lengths are in rows. */
export interface ForecastingOptions {
  readonly inputLength: number;
  readonly horizon: number;
  /** Rows of the input that a decoder starts from. Default 0. */
  readonly labelLength?: number | undefined;
  /** Default `standard`. */
  readonly scale?: ScaleKind | undefined;
  /** The scaling to use instead of one learnt from the training rows: that of a model that was trained before. */
  readonly scaler?: Scaler | undefined;
  /** Default: the split that goes with the data. */
  readonly splits?: SplitRule | undefined;
  /** Rows from one training window to the next; validation and test always have every window. Default 1. */
  readonly stride?: number | undefined;
  /** The time marks' frequency; `false` for no marks. Default: by the step of the data, none without dates. */
  readonly frequency?: Frequency | false | undefined;
  /** Make marks of calendar numbers, for models with tables, instead of features. Default `false`. */
  readonly calendar?: boolean | undefined;
}

/** Everything that training and evaluation need to know about the data. */
export interface ForecastingData {
  readonly name: string;
  readonly checksum: string;
  /** Names of the series. */
  readonly series: readonly string[];
  /** Width of the time marks, 0 without. */
  readonly marks: number;
  /** The frequency that marks are made for; absent without marks. */
  readonly frequency?: Frequency | undefined;
  /** Learnt from the training rows, or given; brings forecasts back to their own units. */
  readonly scaler: Scaler;
  /** The data in its own units. */
  readonly table: Table;
  readonly missing: MissingReport;
  /** The rule of the split: the data's own, or the one given. */
  readonly splits: SplitRule;
  readonly split: Split;
  /** Windows over scaled values. Those of validation and test look back into the split before. */
  readonly train: WindowSet;
  readonly validation: WindowSet;
  readonly test: WindowSet;
  /** How the data's file was read, and the rule on an irregular time axis: what a model's file remembers. */
  readonly reading?: CsvReading | undefined;
  readonly gaps?: GapRule | undefined;
}

const length = z.int().positive();
const forecastingOptions = z.strictObject({
  inputLength: length,
  horizon: length,
  labelLength: z.int().nonnegative().optional(),
  scale: z.enum(scaleKinds).default("standard"),
  scaler: formed<Scaler>(scalerForm).optional(),
  splits: splitRule.optional(),
  stride: length.default(1),
  frequency: z.union([z.enum(frequencies), z.literal(false)]).optional(),
  calendar: z.boolean().default(false),
});

/**
 * Splits, scales and cuts loaded data into windows, as the literature does. Needs no file and no Node: for data that
 * is at hand already (`forecastingData` of `@espalier/datasets/node` loads it too).
 *
 * @throws EspalierError if a part is too short for a single window, saying by how much.
 */
export function forecastingDataOf(source: LoadedDataset, options: ForecastingOptions): ForecastingData {
  const o = parseOptions("forecastingData", forecastingOptions, options);
  const { table } = source;
  const splits = o.splits ?? source.splits;
  const split = splitOf(table, splits);
  expectWindows(table, split, o.inputLength, o.horizon);
  const scaler = o.scaler ?? fitScaler(table, split.train, o.scale);
  if (scaler.center.length !== table.columns.length) {
    throw new EspalierError(
      `data ${table.name}: ${table.columns.length} series, but the scaling has ${scaler.center.length}. Select the series it was learnt from.`,
    );
  }
  const scaled = scaleTable(table, scaler);
  const frequency = o.frequency ?? marksFrequency(table);
  const make = o.calendar ? calendarNumbers : timeFeatures;
  const marks: TimeFeatures | false = frequency ? make(timestampsOf(table), frequency) : false;
  const { inputLength, horizon, labelLength } = o;
  const shape = { inputLength, horizon, labelLength, marks };
  const [train, validation, test] = [
    windows(scaled, split.train, { ...shape, stride: o.stride }),
    windows(scaled, withHistory(split.validation, inputLength), shape),
    windows(scaled, withHistory(split.test, inputLength), shape),
  ] as const;
  expectUnbroken(table, { training: train, validation, test });
  return {
    name: source.name,
    checksum: source.checksum,
    series: table.columns,
    marks: marks === false ? 0 : marks.names.length,
    frequency: frequency || undefined,
    scaler,
    table,
    missing: source.missing,
    splits,
    split,
    train,
    validation,
    test,
    reading: source.reading,
    gaps: source.gaps,
  };
}

function timestampsOf(table: Table): Float64Array {
  if (table.timestamps !== undefined) return table.timestamps;
  throw new EspalierError(`data ${table.name}: has no dates, so no time marks. Leave the frequency out.`);
}

function expectUnbroken({ name, breaks }: Table, parts: Readonly<Record<string, WindowSet>>): void {
  const [part] = Object.entries(parts).find(([, { count }]) => count === 0) ?? [];
  if (part === undefined || breaks === undefined) return;
  throw new EspalierError(
    `data ${name}: between its ${breaks.length} gaps no window fits into the ${part} split. Give a shorter inputLength or horizon, or --gaps fill.`,
  );
}

function expectWindows({ name, rows }: Table, split: Split, inputLength: number, horizon: number): void {
  const advice = "Give more data, a shorter inputLength or horizon, or other splits.";
  for (const part of ["train", "validation", "test"] as const) {
    const { start, end } = split[part];
    const label = part === "train" ? "training" : part;
    const history = Math.min(start, inputLength);
    if (end - start + history >= inputLength + horizon) continue;
    const needed =
      history === inputLength ? `horizon ${horizon}` : `inputLength ${inputLength} + horizon ${horizon}`;
    const before = history === 0 || history === inputLength ? "" : ` and ${history} before it`;
    const least = history === inputLength ? horizon : inputLength + horizon;
    throw new EspalierError(
      `data ${name}: ${rows} rows leave ${end - start} for the ${label} split${before}; ${needed} needs at least ${least}. ${advice}`,
    );
  }
}
