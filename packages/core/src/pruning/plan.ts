import { EspalierError, refuseNewerFormat } from "../errors.ts";
import type { Mask } from "../model/mask.ts";
import type { Json } from "../model/model.ts";
import type { TimeShare } from "./latency.ts";

/** Removes indices of a dimension, and with them a slice of every member. */
export interface RemoveStep {
  readonly do: "remove";
  /** Name of the dimension. */
  readonly dimension: string;
  /** Size of the dimension in the model that the step is applied to. */
  readonly extent: number;
  /**
   * Indices to remove, ascending: one list or, for a dimension that only occurs within another (the channels of heads),
   * one list of equal length for each index of that one.
   */
  readonly indices: readonly number[] | readonly (readonly number[])[];
  readonly because: string;
}

/** Masks elements of a parameter: those that are not kept become zero and stay zero. */
export interface MaskStep {
  readonly do: "mask";
  readonly parameter: string;
  readonly keep: Mask;
  readonly because: string;
}

/** One change of a plan. */
export type Step = RemoveStep | MaskStep;

/** Counts after the plan, at batch 1. */
export interface Expected {
  /** Elements of trainable tensors. */
  readonly parameters: number;
  /** Elements that are not masked. */
  readonly nonzero: number;
  /** Floating-point operations of one pass, not counting masked weights and dead nodes. */
  readonly flops: number;
  /** Bytes as stored. */
  readonly bytes: number;
}

/** A requested target, and whether the plan meets it. */
export interface TargetReport {
  readonly metric: string;
  readonly asked: number;
  readonly achieved: number;
  readonly met: boolean;
  /** The reason, if it is not met. */
  readonly why?: string;
  /** For latency: how it was measured. */
  readonly measured?: MeasuredTarget;
  /** If there were several goals: this one decided the amount, and the others were reached or missed with it. */
  readonly others?: readonly TargetReport[];
}

/** The measurements of a latency target. */
export interface MeasuredTarget {
  /** The backend and the batch. */
  readonly on: string;
  /** Half the interquartile range of the ratios behind the achieved value. */
  readonly spread: number;
  /** All timings, in order. */
  readonly tries: readonly LatencyTry[];
}

/** One plan that was timed. */
export interface LatencyTry extends TimeShare {
  readonly amount: number;
}

/** Changes to a model: decided by a strategy, carried out by `prune`. Plain data that can be printed, stored and replayed. */
export interface PruningPlan {
  readonly format: 1;
  readonly strategy: string;
  /** Digest of the model that the plan was made for; it fits no other. */
  readonly base: string;
  /** Each step refers to the indices that the previous one left. */
  readonly steps: readonly Step[];
  readonly expected: Expected;
  /** Remarks, such as why there is nothing to prune. */
  readonly notes: readonly string[];
  readonly target?: TargetReport;
}

interface StoredMaskStep extends Omit<MaskStep, "keep"> {
  readonly shape: readonly number[];
  /** The bitset as base64. */
  readonly keep: string;
}

/** A plan as JSON text, bitsets as base64. */
export function planToJson(plan: PruningPlan): string {
  return `${JSON.stringify(encodePlan(plan), null, 1)}\n`;
}

/** A plan as plain JSON data, bitsets as base64. */
export function encodePlan(plan: PruningPlan): { readonly [key: string]: Json } {
  const steps = plan.steps.map((step): RemoveStep | StoredMaskStep =>
    step.do === "remove"
      ? step
      : {
          do: step.do,
          parameter: step.parameter,
          shape: step.keep.shape,
          keep: toBase64(step.keep.bits),
          because: step.because,
        },
  );
  return { ...plan, steps } as unknown as { readonly [key: string]: Json };
}

/** Reads a plan. Throws an EspalierError if the text is not a plan, or of a newer format. */
export function planFromJson(text: string, where = "plan"): PruningPlan {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    throw new EspalierError(`${where}: not a plan, because it is not JSON.`);
  }
  return readPlan(raw, where);
}

/** Reads the result of `encodePlan`. Throws an EspalierError for anything else, and for a newer format. */
export function readPlan(raw: unknown, where = "plan"): PruningPlan {
  refuseNewerFormat(raw, "plan", where);
  if (!isStoredPlan(raw)) throw new EspalierError(`${where}: not an Espalier plan, or damaged.`);
  return {
    ...raw,
    steps: raw.steps.map((step): Step => {
      if (step.do === "remove") return step;
      const { do: verb, parameter, because, shape } = step;
      const bits = fromBase64(step.keep);
      const size = shape.reduce((n, extent) => n * extent, 1);
      if (bits === undefined || bits.length !== Math.ceil(size / 8)) {
        throw new EspalierError(`${where}: the mask of "${parameter}" does not fit its shape.`);
      }
      if (size % 8 !== 0) bits[bits.length - 1]! &= (1 << (size % 8)) - 1;
      const keep = { shape, bits };
      return { do: verb, parameter, keep, because };
    }),
  };
}

type StoredPlan = Omit<PruningPlan, "steps"> & { readonly steps: readonly (RemoveStep | StoredMaskStep)[] };

function isStoredPlan(raw: unknown): raw is StoredPlan {
  const plan = raw as Partial<StoredPlan> | null;
  if (typeof plan !== "object" || plan === null) return false;
  const texts = [plan.strategy, plan.base].every((text) => typeof text === "string");
  const numbers = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
  const steps =
    Array.isArray(plan.steps) &&
    plan.steps.every((step) =>
      step?.do === "remove"
        ? typeof step.dimension === "string" &&
          Number.isSafeInteger(step.extent) &&
          (numbers(step.indices) || (Array.isArray(step.indices) && step.indices.every(numbers)))
        : step?.do === "mask" &&
          typeof step.parameter === "string" &&
          numbers(step.shape) &&
          typeof step.keep === "string",
    );
  const expected = plan.expected as Partial<Expected> | null | undefined;
  const counts = [expected?.parameters, expected?.nonzero, expected?.flops, expected?.bytes];
  const notes = Array.isArray(plan.notes) && plan.notes.every((note) => typeof note === "string");
  const target = plan.target === undefined || isTarget(plan.target);
  return plan.format === 1 && texts && steps && notes && target && counts.every(Number.isFinite);
}

function isTarget(raw: unknown): boolean {
  const { metric, asked, achieved, met, why, measured, others } = (raw ?? {}) as Partial<TargetReport>;
  const tries = measured === undefined || (measured !== null && Array.isArray(measured.tries));
  const more = others === undefined || (Array.isArray(others) && others.every(isTarget));
  const texts = typeof metric === "string" && (why === undefined || typeof why === "string");
  return texts && [asked, achieved].every(Number.isFinite) && typeof met === "boolean" && tries && more;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000)
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
