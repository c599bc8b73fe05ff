import * as forms from "@espalier/core/forms";
import { EspalierError, type Extent, type Graph, type Json, type Model } from "@espalier/core/inference";
import { type CsvReading, readingForm } from "./csv/reading.ts";
import type { ForecastingData } from "./forecasting.ts";
import { type Frequency, frequencies } from "./frequency.ts";
import { type GapRule, gapRules } from "./gap-rules.ts";
import { type MissingRule, missingRules } from "./missing.ts";
import { type Scaler, scalerForm } from "./scaling.ts";
import type { SplitRule } from "./split.ts";
import { irregularCount, type KnownStep, sameStep, stepForm } from "./step.ts";
import type { Table } from "./table.ts";

/** A model file's description of its training data: enough to evaluate it again, and to forecast in original units. */
export interface ModelData {
  /** `synthetic`, a name of the catalogue, or the name (not the path) of a file. */
  readonly name: string;
  readonly checksum: string;
  /** Names of the series, in the model's order. */
  readonly series: readonly string[];
  readonly scaler: Scaler;
  readonly missing?: MissingRule | undefined;
  readonly frequency?: Frequency | undefined;
  readonly splits?: SplitRule | undefined;
  /** The time from one row to the next. Absent for data without dates, and in files of earlier versions. */
  readonly step?: KnownStep | undefined;
  readonly gaps?: GapRule | undefined;
  /** How the file was read. */
  readonly reading?: CsvReading | undefined;
  /** Series that never changed: what they will be is what they were. */
  readonly constant?: readonly string[] | undefined;
}

const modelDataForm = forms.object(
  {
    name: forms.text,
    checksum: forms.text,
    series: forms.listOf(forms.text, 1),
    scaler: scalerForm,
  },
  {
    missing: forms.oneOf(...missingRules),
    frequency: forms.oneOf(...frequencies),
    // Its meaning is checked where data is split by it.
    splits: forms.recordOf(forms.listOf(forms.number)),
    step: stepForm,
    gaps: forms.oneOf(...gapRules),
    reading: readingForm,
    constant: forms.listOf(forms.text),
  },
  { open: true },
);

/** The part of the data's description that is stored in a model file. */
export type DescribedData = Pick<
  ForecastingData,
  "name" | "checksum" | "series" | "scaler" | "missing" | "frequency" | "splits" | "gaps" | "reading"
> & { readonly table?: Table | undefined };

/** A model that knows its data. Throws an EspalierError for a scaling that no file could hold. */
export function withData(model: Model, data: DescribedData): Model {
  const { kind, center, spread } = data.scaler;
  const odd = data.series.find((_, i) => !Number.isFinite(center[i]) || !Number.isFinite(spread[i]));
  if (odd !== undefined) {
    throw new EspalierError(
      `data ${data.name}, series "${odd}": its values are too large to be scaled. Give them in larger units, or leave the series out.`,
    );
  }
  const { table } = data;
  const constant = table === undefined ? [] : data.series.filter((_, i) => neverChanges(table, i));
  const described = {
    name: data.name,
    checksum: data.checksum,
    series: [...data.series],
    scaler: { kind, center: [...center], spread: [...spread] },
    missing: data.missing.rule,
    ...(data.frequency === undefined ? {} : { frequency: data.frequency }),
    splits: { ...data.splits },
    ...(table?.step === undefined ? {} : { step: withoutFaults(table.step) }),
    ...(data.gaps === undefined ? {} : { gaps: data.gaps }),
    ...(data.reading === undefined ? {} : { reading: data.reading as unknown as Json }),
    ...(constant.length === 0 ? {} : { constant }),
  };
  return { ...model, metadata: { ...model.metadata, data: described } };
}

function withoutFaults({ milliseconds, label, calendar }: KnownStep): Json {
  return {
    milliseconds,
    label,
    ...(calendar === undefined ? {} : { calendar: { ...calendar } }),
  };
}

function neverChanges({ values, columns }: Table, column: number): boolean {
  for (let at = column; at < values.length; at += columns.length) {
    if (values[at] !== values[column]) return false;
  }
  return true;
}

/**
 * The step that a table's rows go on by, for a model: its own, or the model's where so few rows do not show theirs (five
 * business days look like days).
 *
 * @throws EspalierError for rows that are another time apart than those the model was trained on.
 */
export function stepFor(known: Pick<ModelData, "step"> | undefined, table: Table): KnownStep | undefined {
  const { step, timestamps, offsets } = table;
  if (known?.step === undefined || step === undefined || timestamps === undefined) return step;
  if (sameStep(known.step, step)) return step;
  if (irregularCount({ timestamps, offsets }, known.step) <= step.irregular) return known.step;
  throw new EspalierError(
    `data ${table.name}: a row every ${step.label}, the model was trained on one every ${known.step.label}. Give rows as far apart, or train a model on these.`,
  );
}

/** A model's description of its data; undefined if it has none. Throws an EspalierError if it is damaged. */
export function dataOf(model: Model): ModelData | undefined {
  const { data } = model.metadata;
  if (data === undefined) return undefined;
  const fault = modelDataForm(data);
  if (fault === undefined) return data as unknown as ModelData;
  throw new EspalierError(
    `model ${model.name}: its description of its data is damaged at ${fault.at || "the top"}: ${fault.problem}.`,
  );
}

/** The windows a forecasting graph takes, read off its inputs and its output. */
export interface WindowShape {
  readonly inputLength: number;
  readonly horizon: number;
  readonly labelLength: number;
  readonly series: number;
  /** Width of the time marks, 0 without. */
  readonly marks: number;
  /** Whether marks are calendar numbers, which index tables (int32), instead of features. */
  readonly calendar: boolean;
}

/**
 * The windows of a graph with Time-Series-Library's inputs: `x_enc` [batch, inputLength, series], `x_mark_enc`, `x_dec`,
 * `x_mark_dec`, and the forecast [batch, horizon, series] as its first output. Throws an EspalierError for any other.
 */
export function windowShapeOf(graph: Graph): WindowShape {
  const typeOf = (name: string) => {
    const input = graph.inputs.find((candidate) => candidate.name === name);
    return input && graph.values[input.value]!;
  };
  const shape = (name: string): readonly Extent[] | undefined => typeOf(name)?.shape;
  const [x, forecast] = [shape("x_enc"), graph.values[graph.outputs[0]!.value]!.shape];
  const numbers = [...(x?.slice(1) ?? []), ...forecast.slice(1)];
  if (x?.length !== 3 || forecast.length !== 3 || numbers.some((extent) => typeof extent !== "number")) {
    throw new EspalierError(
      "the model does not forecast windows: it needs an input x_enc [batch, rows, series] and an output [batch, rows, series].",
    );
  }
  const [inputLength, series, horizon] = numbers as number[];
  const decoded = (shape("x_dec")?.[1] ?? shape("x_mark_dec")?.[1]) as number | undefined;
  const marks = typeOf("x_mark_enc") ?? typeOf("x_mark_dec");
  return {
    inputLength: inputLength!,
    horizon: horizon!,
    labelLength: Math.max(0, (decoded ?? 0) - horizon!),
    series: series!,
    marks: (marks?.shape[2] as number | undefined) ?? 0,
    calendar: marks?.dtype === "int32",
  };
}
