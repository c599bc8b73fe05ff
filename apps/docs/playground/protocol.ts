import type { Ratio } from "@espalier/bench/measure";
import type { Accounting, Target, TargetReport } from "@espalier/core";
import type { HeadRow, Picture } from "./worker/pictures.ts";

/** Messages between page and worker: a call by name, then its progress, then its result or the reason why there is none. */
export interface Calls {
  open(source: ModelSource): OpenedModel | WeightsOnly;
  read(source: SeriesSource): ReadSeries;
  prune(choice: Choice): Pruned;
  /** Prunes again, with fine-tuning after it. */
  tune(choice: Choice): Tuned;
  /** Searches for the smallest model within an error. */
  find(wish: Wish): Found;
  forecast(window: number): Forecast;
  backends(nothing: undefined): readonly BackendState[];
  measure(request: MeasureRequest): Latency;
  save(format: SaveFormat): SavedFile;
}

export type CallName = keyof Calls;
export type Argument<K extends CallName> = Parameters<Calls[K]>[0];
export type Result<K extends CallName> = ReturnType<Calls[K]>;

export type ToWorker =
  | { readonly id: number; readonly call: CallName; readonly argument: unknown }
  | { readonly cancel: number };

export type FromWorker =
  | { readonly id: number; readonly progress: WorkProgress }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly aborted: true }
  | { readonly id: number; readonly error: string };

export interface WorkProgress {
  readonly what: string;
  /** In [0, 1]; absent if unknown. */
  readonly share?: number;
  /** Seconds that remain. */
  readonly remaining?: number;
  /** Errors during fine-tuning so far. */
  readonly curve?: TuningCurve;
  /** Models that a search has made so far. */
  readonly tried?: Tried;
}

/** How the error (MSE) on the validation rows goes while a model is fine-tuned. */
export interface TuningCurve {
  /** The unpruned model's. */
  readonly dense: number;
  /** The pruned model's, then one after each epoch. */
  readonly errors: readonly number[];
  /** Epoch, from 1, whose weights are the best so far; 0 before there is one. */
  readonly best: number;
  /** Epochs that were asked for. */
  readonly epochs: number;
}

/** Request for a search. */
export interface Wish {
  /** Per cent that the error (MSE) on the validation rows may be above the unpruned model's. */
  readonly percent: number;
  /** Budget. */
  readonly seconds: number;
}

/** The models of a search, and its limit. */
export interface Tried {
  /** The unpruned model's error (MSE) on the validation rows, and the largest that is allowed. */
  readonly dense: number;
  readonly allowed: number;
  readonly models: readonly {
    /** Share of the unpruned model's. */
    readonly bytes: number;
    readonly mse: number;
  }[];
}

export type ModelSource =
  | { readonly shipped: string; readonly origin: ModelOrigin }
  | { readonly file: string; readonly content: Blob; readonly weights?: WeightsOf };

/** Source of the weights of a built-in model: a file, or a seed (for iTransformer). */
export type ModelOrigin =
  | { readonly url: string }
  | { readonly seed: number; readonly options: Readonly<Record<string, number>> };

/** The architecture that a file of weights alone belongs to, and what no shape tells of it. */
export interface WeightsOf {
  readonly model: string;
  readonly options: Readonly<Record<string, number>>;
}

export interface OpenedModel {
  /** Name of its architecture; any text for imported models. */
  readonly name: string;
  /** Name of the file that a download of it gets, without its ending. */
  readonly file: string;
  readonly counts: Counts;
  readonly window?: { readonly inputLength: number; readonly horizon: number; readonly series: number };
  /** The reason why the model cannot forecast the shown series; absent if it can. */
  readonly misfit?: string;
  readonly fit?: Fit;
}

/** An architecture that a file of weights alone may be of, and the options that its shapes do not tell. */
export interface Candidate {
  readonly model: string;
  readonly needed: readonly string[];
}

/** A file of weights alone: somebody has to say what model they are of. */
export interface WeightsOnly {
  readonly candidates: readonly Candidate[];
}

export type SeriesSource =
  | { readonly shipped: string; readonly url: string }
  | { readonly file: string; readonly content: Blob };

export interface ReadSeries {
  readonly name: string;
  readonly rows: number;
  readonly columns: readonly string[];
  /** Whether it comes with the page. */
  readonly shipped: boolean;
  readonly note?: string;
  readonly misfit?: string;
  readonly fit?: Fit;
}

/** How a model and a series go together. */
export interface Fit {
  readonly columns: readonly string[];
  /** Forecasts that can be shown; they begin one row after the other. */
  readonly windows: number;
  /** When each begins, milliseconds as in the table; absent for series without dates. */
  readonly starts?: readonly number[];
}

export type StrategyName = "head" | "channel" | "depth" | "unstructured" | "combined";

/** Everything that decides what is pruned. */
export interface Choice {
  readonly strategy: StrategyName;
  /** The strategy's own where absent. */
  readonly criterion?: string;
  /** For unstructured pruning: `4x1`, `2:4`; single weights if absent. */
  readonly structure?: string;
  readonly target: Target;
}

export interface Counts {
  readonly accounting: Accounting;
  readonly sparsity: number;
}

export interface Errors {
  readonly windows: number;
  /** Computed on scaled values. */
  readonly dense: { readonly mse: number; readonly mae: number };
  readonly pruned: { readonly mse: number; readonly mae: number };
}

export interface Pruned {
  readonly counts: Counts;
  /** Absent for a model that a search found: its recipe may have several plans, and masks that tighten. */
  readonly plan?: PlanSummary;
  readonly pictures: readonly Picture[];
  readonly heads: readonly HeadRow[];
  readonly errors?: Errors;
}

export interface PlanSummary {
  readonly target: TargetReport;
  readonly steps: number;
  readonly notes: readonly string[];
  /** Milliseconds from the question to the plan. */
  readonly planning: number;
}

/** A model that was fine-tuned here. */
export interface Trained extends Pruned {
  readonly seconds: number;
  /** The recipe as a file: `espalier prune --recipe` gives the same model of the same files. */
  readonly recipe: string;
}

/** A model that was pruned as chosen, and fine-tuned. */
export interface Tuned extends Trained {
  readonly curve: TuningCurve;
}

/** The smallest model that a search found. */
export interface Found extends Trained {
  readonly tried: Tried;
  /** Its place in `tried`. */
  readonly best: number;
}

/** Values by series, in the data's own units. */
export interface Forecast {
  readonly window: number;
  readonly history: readonly Float64Array[];
  readonly truth: readonly Float64Array[];
  readonly dense: readonly Float64Array[];
  readonly pruned: readonly Float64Array[];
  /** Dates of the history and the true values; absent for series without dates. */
  readonly timestamps?: Float64Array;
}

export type BackendName = "wasm" | "webgpu";

export interface BackendState {
  readonly name: BackendName;
  readonly available: boolean;
  readonly detail: string;
  /** A program stands in for the GPU: its times say nothing about one. */
  readonly software: boolean;
}

export interface MeasureRequest {
  readonly backend: BackendName;
  readonly batch: number;
}

/** Milliseconds a call, and half the distance between the quartiles. */
export interface CallTime {
  readonly median: number;
  readonly spread: number;
}

export interface Latency extends MeasureRequest {
  readonly dense: CallTime;
  readonly pruned: CallTime;
  /** Times that the pruned model is faster. */
  readonly ratio: Ratio;
  /** Calls of each that were timed. */
  readonly calls: number;
}

export type SaveFormat = "safetensors" | "onnx" | "plan" | "dense";

export interface SavedFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}
