import type {
  Accounting,
  Expected,
  HeadDensity,
  LayerCount,
  Sensitivity,
  TargetReport,
} from "@espalier/core";
import type { StoredWeights } from "@espalier/formats";
import type { Errors } from "@espalier/training";
import type { Cell, LatencyCell, PruneCell, SensitivityCell, TrainCell } from "../sweep/cells.ts";

/** Information needed to repeat a result. */
export interface Environment {
  readonly date: string;
  readonly processor: string;
  /**
   * Vector instructions of the backend that computed, as `Availability` names them: `relaxed` may fuse products with sums,
   * so that last digits differ between processors. Absent if the backend does not say.
   */
  readonly simd?: string;
  /** Name of the machine, in results of sweeps on many. */
  readonly host?: string;
  readonly cores: number;
  readonly platform: string;
  readonly node: string;
  /** Versions of Espalier and of the packages that ran, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly dataChecksum: string;
}

interface Common {
  /** Version of the results format. */
  readonly format: 1;
  /** The cell's name. */
  readonly id: string;
  readonly environment: Environment;
  /** Time that the cell took, also in processes that were stopped in it. */
  readonly seconds: number;
  /** Processor time of all threads; results of earlier versions lack it. */
  readonly processorSeconds?: number;
}

/** The composition of a model. Results of earlier versions lack it. */
export interface Parts {
  readonly layers: readonly LayerCount[];
  readonly heads: readonly HeadDensity[];
}

/** A model's file by how it stores the weights. */
export interface Files {
  /**
   * Bytes of the file. Those of rounded weights depend on the platform's zlib, and are absent if a weight cannot be stored
   * so, as those of a model that diverged.
   */
  readonly bytes: { readonly float32: number } & { readonly [form in StoredWeights]?: number };
  /** Test errors with rounded weights, if the sweep's `store` asks for them. */
  readonly errors?: { readonly [form in StoredWeights]?: TestErrors };
}

/** The result of training a dense model. */
export interface TrainRecord extends Common {
  readonly cell: TrainCell;
  readonly result: {
    readonly test: TestErrors;
    readonly epochs: number;
    readonly counts: Accounting;
    readonly parts?: Parts;
    /** Forecasts that need no model, over the same windows. Results of earlier versions lack them. */
    readonly naive?: NaiveErrors;
    /** Results of earlier versions lack them. */
    readonly files?: Files;
    /** Digest of the model, for comparison with other machines. */
    readonly digest: string;
  };
}

/** Test errors in the model's units, and in original units. */
export interface TestErrors extends Errors {
  readonly original?: Errors;
  /** Mean absolute scaled error; null if no series changes. Results of earlier versions lack it. */
  readonly mase?: number | null;
  /** By series, if their units differ: of the model after its last step, and of forecasts that need no model. */
  readonly bySeries?: readonly SeriesErrors[];
}

/** Errors of one series, in original units. */
export interface SeriesErrors {
  readonly name: string;
  readonly mse: number;
  readonly mae: number;
  /** Null for a series that does not change. */
  readonly mase: number | null;
}

/** Test errors of forecasts that need no model. */
export interface NaiveErrors {
  /** Season of MASE in rows; 1 if none is known. */
  readonly season: number;
  /** Each series keeps its last value. */
  readonly last: TestErrors;
  /** Each series repeats its last season; absent if no season fits into the model's window. */
  readonly seasonal?: TestErrors;
}

/** The result of pruning a model, with or without fine-tuning. */
export interface PruneRecord extends Common {
  readonly cell: PruneCell;
  readonly result: {
    /** Absent if the strategy found nothing to prune; `notes` say why. */
    readonly applicable: boolean;
    readonly notes: readonly string[];
    readonly target: TargetReport;
    /** Reached sparsity: 1 − nonzero ÷ dense parameters. */
    readonly sparsity: number;
    readonly expected: Expected;
    readonly counts: Accounting;
    readonly parts?: Parts;
    readonly dense: { readonly counts: Accounting; readonly test: TestErrors };
    /** After the last step that pruned at once; equal to `tuned` if all pruning happened during tuning. */
    readonly pruned: TestErrors;
    /** After fine-tuning; equal to `pruned` without it. */
    readonly tuned: TestErrors;
    readonly tuningEpochs: number;
    /** Errors over the validation windows of the best epoch; results of earlier versions lack them. */
    readonly validation?: { readonly mse: number; readonly mae: number };
    /** Sizes after fine-tuning; results of earlier versions lack them. */
    readonly files?: Files;
    /** Seconds for planning and for carrying out plans, including reconstruction. */
    readonly planSeconds: number;
    readonly digest: string;
  };
}

/** Times of one program, in milliseconds per call. */
export interface Timing {
  readonly median: number;
  /** Half the interquartile range. */
  readonly spread: number;
  readonly samples: number;
}

/** The result of timing the dense and the pruned model in turn. */
export interface LatencyRecord extends Common {
  readonly cell: LatencyCell;
  readonly result: {
    readonly device: string;
    readonly dense: Timing;
    readonly pruned: Timing;
    /** Median over rounds of dense ÷ pruned, and half its interquartile range. */
    readonly speedup: number;
    readonly speedupSpread: number;
    /** Share of the timing in which other programs had the processor; absent if unknown. */
    readonly waited?: number;
    readonly sparsity: number;
  };
}

/** The result of pruning each layer of a dense model alone. Errors are MSEs on windows of the validation split. */
export interface SensitivityRecord extends Common {
  readonly cell: SensitivityCell;
  readonly result: Sensitivity;
}

/** A failed cell with its error, for the report. The next run tries it again. */
export interface FailureRecord extends Common {
  readonly cell: Cell;
  readonly error: string;
}

/** A line of a results file. */
export type ResultRecord = TrainRecord | PruneRecord | LatencyRecord | SensitivityRecord | FailureRecord;

/** Whether a record is of a dense model that was trained. */
export function isTrain(record: ResultRecord): record is TrainRecord {
  return record.cell.kind === "train" && "result" in record;
}
/** Whether a record is of a model that was pruned. */
export function isPrune(record: ResultRecord): record is PruneRecord {
  return record.cell.kind === "prune" && "result" in record;
}
/** Whether a record holds times. */
export function isLatency(record: ResultRecord): record is LatencyRecord {
  return record.cell.kind === "latency" && "result" in record;
}
/** Whether a record says what pruning each layer alone does. */
export function isSensitivity(record: ResultRecord): record is SensitivityRecord {
  return record.cell.kind === "sensitivity" && "result" in record;
}
/** Whether a record says what failed instead. */
export function isFailure(record: ResultRecord): record is FailureRecord {
  return "error" in record;
}
