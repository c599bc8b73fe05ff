import { EspalierError, type Extent, forms, type Graph, type Json, type Model } from "@espalier/core";
import type { ForecastingData } from "./forecasting.ts";
import { type MissingRule, missingRules } from "./missing.ts";
import { type Scaler, scalerForm } from "./scaling.ts";
import type { SplitRule } from "./split.ts";
import { type Frequency, frequencies } from "./time-features.ts";

/** What a model's file says of the data it was trained on: enough to evaluate it again, and to forecast in its units. */
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
  },
  { open: true },
);

/** A model that knows its data. */
export function withData(
  model: Model,
  data: Pick<ForecastingData, "name" | "checksum" | "series" | "scaler" | "missing" | "frequency" | "splits">,
): Model {
  const { kind, center, spread } = data.scaler;
  const described = {
    name: data.name,
    checksum: data.checksum,
    series: [...data.series],
    scaler: { kind, center: [...center], spread: [...spread] },
    missing: data.missing.rule,
    ...(data.frequency === undefined ? {} : { frequency: data.frequency }),
    splits: data.splits as unknown as Json,
  };
  return { ...model, metadata: { ...model.metadata, data: described } };
}

/** What a model knows of its data; undefined where nothing was noted. Throws an EspalierError where it is damaged. */
export function dataOf(model: Model): ModelData | undefined {
  const { data } = model.metadata;
  if (data === undefined) return undefined;
  const fault = modelDataForm(data);
  if (fault === undefined) return data as unknown as ModelData;
  throw new EspalierError(
    `model ${model.name}: what it says of its data is damaged at ${fault.at || "the top"}: ${fault.problem}.`,
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
}

/**
 * The windows of a graph with Time-Series-Library's inputs: `x_enc` [batch, inputLength, series], `x_mark_enc`, `x_dec`,
 * `x_mark_dec`, and the forecast [batch, horizon, series] as its first output. Throws an EspalierError for any other.
 */
export function windowShapeOf(graph: Graph): WindowShape {
  const shape = (name: string): readonly Extent[] | undefined => {
    const input = graph.inputs.find((candidate) => candidate.name === name);
    return input && graph.values[input.value]!.shape;
  };
  const [x, forecast] = [shape("x_enc"), graph.values[graph.outputs[0]!.value]!.shape];
  const numbers = [...(x?.slice(1) ?? []), ...forecast.slice(1)];
  if (x?.length !== 3 || forecast.length !== 3 || numbers.some((extent) => typeof extent !== "number")) {
    throw new EspalierError(
      "the model does not forecast windows: it needs an input x_enc [batch, rows, series] and an output [batch, rows, series].",
    );
  }
  const [inputLength, series, horizon] = numbers as number[];
  const decoded = (shape("x_dec")?.[1] ?? shape("x_mark_dec")?.[1]) as number | undefined;
  const marks = (shape("x_mark_enc") ?? shape("x_mark_dec"))?.[2] as number | undefined;
  return {
    inputLength: inputLength!,
    horizon: horizon!,
    labelLength: Math.max(0, (decoded ?? 0) - horizon!),
    series: series!,
    marks: marks ?? 0,
  };
}
