import type { Files, NaiveErrors, Parts, SeriesErrors } from "@espalier/bench";
import type { Sensitivity } from "@espalier/core";

/** A number over seeds: its mean, and the sample standard deviation (0 for one seed). */
export interface Stat {
  readonly mean: number;
  readonly spread: number;
}

export interface ErrorStats {
  readonly mse: Stat;
  readonly mae: Stat;
  /** Results of earlier versions lack it. */
  readonly mase?: Stat | undefined;
}

/** Costs of a model, mean over seeds. FLOPs per window. */
export interface Size {
  /** Elements of trainable tensors: all, kept, dead, and both. */
  readonly parameters: {
    readonly total: number;
    readonly nonzero: number;
    readonly dead: number;
    readonly deadNonzero: number;
  };
  /** In full, of live nodes with zeros skipped, and of dead nodes. */
  readonly flops: { readonly total: number; readonly effective: number; readonly dead: number };
  readonly bytes: { readonly dense: number; readonly stored: number };
  /** Bytes of the file by how it stores weights, as far as known for every seed; results of earlier versions lack them. */
  readonly files: ReadonlyMap<FileForm, number>;
}

/** A form in which a file stores weights. */
export type FileForm = keyof Files["bytes"];

/** A dense model on its data, the reference for its pruned models. */
export interface DenseRow {
  readonly seeds: readonly number[];
  readonly epochs: number;
  readonly size: Size;
  readonly errors: ErrorStats;
  /** With rounded weights, by form, if it was measured. */
  readonly rounded: ReadonlyMap<FileForm, ErrorStats>;
  /** From the first seed; results of earlier versions lack it. */
  readonly parts?: Parts | undefined;
  /** Forecasts that need no model, from the first seed; results of earlier versions lack them. */
  readonly naive?: NaiveErrors | undefined;
  /** By series, from the first seed, if their units differ. */
  readonly series?: readonly SeriesErrors[] | undefined;
}

/** One strategy at one target with one variant of fine-tuning, over seeds. */
export interface RunRow {
  readonly strategy: string;
  /** The target in words; the first goal, if there are several. */
  readonly target: string;
  readonly metric: string;
  readonly asked: number;
  readonly tuning: string;
  readonly seeds: readonly number[];
  /** Test MSE to compare with: by default the mean of the dense models of these seeds. */
  readonly reference: number;
  /** False if the strategy finds nothing to prune in the model. */
  readonly applicable: boolean;
  /** Whether the target was reached with every seed. */
  readonly met: boolean;
  /** The reasons why it does not apply, or was not reached; otherwise remarks. */
  readonly reasons: readonly string[];
  /** The reached sparsity. */
  readonly sparsity: number;
  readonly size: Size;
  /** Right after pruning, and after fine-tuning. */
  readonly before: ErrorStats;
  readonly after: ErrorStats;
  /** After fine-tuning with rounded weights, by form, if it was measured. */
  readonly rounded: ReadonlyMap<FileForm, ErrorStats>;
  readonly tuningEpochs: number;
  /** From the first seed; results of earlier versions lack it. */
  readonly parts?: Parts | undefined;
  /** By series after fine-tuning, from the first seed, if their units differ. */
  readonly series?: readonly SeriesErrors[] | undefined;
  /** Id of the first seed's result, which is the name of its model's file. */
  readonly id: string;
}

/**
 * Times of one strategy at one target, in milliseconds per call; mean over seeds of medians and of half the
 * interquartile range.
 */
export interface TimingRow {
  readonly strategy: string;
  readonly target: string;
  readonly metric: string;
  readonly asked: number;
  readonly met: boolean;
  readonly sparsity: number;
  readonly backend: string;
  readonly batch: number;
  readonly device: string;
  readonly dense: Stat;
  readonly pruned: Stat;
  readonly speedup: Stat;
  readonly samples: number;
  /** Largest share of the timing in which other programs had the processor; 0 if unknown. */
  readonly waited: number;
}

/** A cell without a result. */
export interface FailureRow {
  readonly what: string;
  readonly error: string;
}

/** All results for one dense model on one data set. */
export interface Section {
  readonly title: string;
  /** Name for files. */
  readonly slug: string;
  readonly model: string;
  readonly dataset: string;
  readonly lengths: string;
  readonly dense: DenseRow;
  /** Test MSE to compare models with that have no seeds of their own: by default the dense model's mean. */
  readonly reference: number;
  readonly runs: readonly RunRow[];
  readonly timings: readonly TimingRow[];
  /** From the first seed, if it was measured. */
  readonly sensitivity?: Sensitivity | undefined;
  /** Id of the dense model's result for the first seed, if it was trained here. */
  readonly id?: string | undefined;
}

/** All content of the report, by section. */
export interface Rows {
  readonly sections: readonly Section[];
  readonly failures: readonly FailureRow[];
  /** In the order of their colours. */
  readonly strategies: readonly string[];
  /** More than one if fine-tuning was varied. */
  readonly tunings: readonly string[];
}
