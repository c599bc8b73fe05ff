import type { Json } from "@espalier/core";
import type { Recipe } from "@espalier/recipe";
import type { Goal } from "./goal.ts";
import type { Settings } from "./settings.ts";
import type { Point } from "./space/space.ts";

/** Measured properties of a model. Errors are in the model's units. */
export interface Measured {
  /** Over all windows of the validation split. */
  readonly validation: { readonly mse: number; readonly mae: number };
  /** Share of the dense model's bytes that is stored. */
  readonly bytes: number;
  /** Share of the dense model's FLOPs, zeros skipped. */
  readonly flops: number;
  /** Share of the dense model's time per call, and its spread; only if the goal needs it. */
  readonly latency?: { readonly share: number; readonly spread: number };
  readonly digest: string;
}

/** The first line of a search's file: everything that its proposals depend on, and where it was made. */
export interface HeaderRecord {
  readonly format: 1;
  readonly kind: "search";
  /** Hash of model, data, goal, settings and space: a search with another one cannot continue the file. */
  readonly search: string;
  readonly goal: Goal;
  readonly settings: Settings;
  /** The dense model. */
  readonly model: {
    readonly name: string;
    readonly digest: string;
    readonly bytes: number;
    readonly flops: number;
  };
  readonly data: { readonly name: string; readonly checksum: string };
  readonly dense: Measured;
  /** Versions, processor and date. */
  readonly environment?: Json;
}

/** A point that competed by its one-shot error: with reconstruction, before any fine-tuning. */
export interface Proposal {
  readonly point: Point;
  /** Mean squared error on validation windows, evenly spaced. */
  readonly oneShot?: number;
  /** The reason why its recipe cannot be carried out. */
  readonly error?: string;
}

/** A candidate: the best of its proposals. Candidates are numbered from 0, in the order in which they are made. */
export interface CandidateRecord extends Proposal {
  readonly kind: "candidate";
  readonly candidate: number;
  /** Its origin: a seed's label, `random`, `model` (the estimator), or `limit` (a known recipe at the size that it can keep the limit with). */
  readonly from: string;
  /** The proposals that it was preferred to. */
  readonly others: readonly Proposal[];
  readonly seconds: number;
  readonly elapsed?: number;
}

/** A fine-tuning: of a candidate, of the unpruned model (`dense`), or of a fixed recipe at the chosen one's size. */
export interface TrialRecord {
  readonly kind: "trial";
  /** A candidate's number, `dense`, or a fixed recipe's label. */
  readonly of: number | string;
  /** Length of the fine-tuning, from 0; the last is the full length. */
  readonly rung: number;
  readonly epochs: number;
  readonly seed: number;
  readonly recipe: Recipe;
  /** Made at the end, because the candidate promised to be better than those that were tuned fully. */
  readonly last?: boolean;
  readonly result?: Measured;
  /** The reason why there is no result. */
  readonly error?: string;
  readonly seconds: number;
  /** Seconds since the record before, if trials run elsewhere, several at once: these take what the search takes. */
  readonly elapsed?: number;
  /** The machine that ran it, if that was a queue's worker. */
  readonly host?: string;
}

/** A trial without its outcome. */
export type Task = Pick<TrialRecord, "of" | "rung" | "epochs" | "seed" | "recipe" | "last">;

/** The trial of a recipe. */
export function taskOf(of: Task["of"], rung: number, recipe: Recipe, seed: number): Task {
  const fits = recipe.steps.flatMap((step) => ("fit" in step ? [step.fit.epochs] : []));
  return { of, rung, epochs: fits.reduce((sum, n) => sum + n, 0), seed, recipe };
}

/** Whether two trials are the same. */
export function isSame(a: Task, b: Task): boolean {
  return a.of === b.of && a.rung === b.rung && a.seed === b.seed;
}

/** Test errors of one model, measured once everything is decided. */
export interface TestRecord {
  readonly kind: "test";
  /** Name of the model, see `modelName`. */
  readonly model: string;
  readonly mse: number;
  readonly mae: number;
}

/** A line of a search's file. */
export type SearchRecord = HeaderRecord | CandidateRecord | TrialRecord | TestRecord;

/** The name of a trial's model. */
export function modelName({ of, rung, seed }: Pick<TrialRecord, "of" | "rung" | "seed">): string {
  const whose = typeof of === "number" ? `c${of}` : of.replace(/[^\w-]+/g, "-");
  return `${whose}-rung${rung}-seed${seed}`;
}

/** The size, error or time of a model. */
export function measureOf(metric: "error" | "bytes" | "flops" | "latency", measured: Measured): number {
  if (metric === "error") return measured.validation.mse;
  return metric === "latency" ? measured.latency!.share : measured[metric];
}
