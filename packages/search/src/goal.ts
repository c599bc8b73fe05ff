import { EspalierError } from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { latencySchema } from "@espalier/recipe";
import { z } from "zod";

/** Properties of a model that a search can minimize or limit. */
export const metrics = ["error", "bytes", "flops", "latency"] as const;
/** A property of a model that a search can minimize or limit. */
export type Metric = (typeof metrics)[number];

const references = ["given", "tuned"] as const;

const share = z.number().positive().max(1);
const percent = /^([+-]\d+(?:\.\d+)?) ?%$/;

const errorHint = 'expected a mean squared error such as 0.39, or a change such as "+1%"';

/** The keys of a goal in a search file. */
export const goalShape = {
  minimize: z.enum(metrics).describe("The property to make as small as the limits allow."),
  error: z
    .union([z.number().positive(), z.string().regex(percent, { error: errorHint })], { error: errorHint })
    .optional()
    .describe(
      'Largest mean squared error on the validation windows, in the model\'s units (0.39), or relative to the reference ("+1%").',
    ),
  reference: z
    .enum(references)
    .optional()
    .describe(
      "What a relative error refers to: the model as given, or the same model trained on as long as candidates are tuned (the stricter one); given by default.",
    ),
  bytes: share.optional().describe("Largest share of the bytes as stored."),
  flops: share.optional().describe("Largest share of the FLOPs, zeros skipped."),
  latency: share.optional().describe("Largest share of the time per call, measured."),
  timing: latencySchema.optional().describe("How latency is measured."),
} as const;

const goalSchema = z.strictObject(goalShape);

/** Goal of a search. Shares are relative to the model before any pruning. */
export type Goal = z.input<typeof goalSchema>;

/** A goal's limit to the error: absolute, or a factor of the reference's. */
export type ErrorLimit =
  | { readonly mse: number }
  | { readonly factor: number; readonly reference: (typeof references)[number] };

/**
 * Checks a goal. Throws an EspalierError for a value out of bounds, and for limits that contradict each other or have no
 * effect; `name` returns the name of a key in the words of the caller's interface.
 */
export function readGoal(goal: Goal, name: (key: keyof Goal) => string = (key) => key): Goal {
  const { minimize, error, reference, latency, timing } = readBy(goalSchema, goal, "search");
  const refuse = (message: string) => {
    throw new EspalierError(message);
  };
  if (goal[minimize] !== undefined)
    refuse(`${name(minimize)} is what is minimized, so it cannot have a limit. Drop one of the two.`);
  if (minimize === "error" && goal.bytes === undefined && goal.flops === undefined && latency === undefined)
    refuse(`the error alone is least without pruning: limit ${sizes(name)}.`);
  if (minimize !== "error" && error === undefined)
    refuse(`${minimize} alone are least in a model that knows nothing: give ${name("error")}, such as +1%.`);
  if (reference !== undefined && !(typeof error === "string"))
    refuse(`${name("reference")} only applies to a relative ${name("error")}, such as +1%.`);
  if (timing !== undefined && latency === undefined && minimize !== "latency")
    refuse(`${name("timing")} only applies if latency is limited or minimized.`);
  return goal;
}

/**
 * Throws an EspalierError unless a goal has a front to spread over: an error to keep, and bytes or FLOPs to minimize. `name`
 * returns the name of a key in the words of the caller's interface.
 */
export function checkFront(
  { minimize, error }: Goal,
  name: (key: keyof Goal | "front") => string = (key) => key,
): void {
  if (error === undefined || sizeMetricOf({ minimize }) !== minimize)
    throw new EspalierError(
      `${name("front")} spreads over the sizes of models within an error: give ${name("error")}, such as +10%, and bytes or flops to minimize.`,
    );
}

function sizes(name: (key: keyof Goal) => string): string {
  return `${name("bytes")}, ${name("flops")} or ${name("latency")}`;
}

/** The limit to the error, if the goal has one. */
export function errorLimitOf({ error, reference = "given" }: Goal): ErrorLimit | undefined {
  if (error === undefined) return undefined;
  if (typeof error === "number") return { mse: error };
  return { factor: 1 + Number(percent.exec(error)![1]) / 100, reference };
}

/** Whether a goal needs measured times. */
export function isTimed({ minimize, latency }: Goal): boolean {
  return minimize === "latency" || latency !== undefined;
}

/** The counted metric that a candidate chooses its size by; undefined if limits alone decide the size. */
export function sizeMetricOf(goal: Goal): "bytes" | "flops" | undefined {
  if (goal.minimize === "bytes" || goal.minimize === "flops") return goal.minimize;
  // Times are measured, not planned; the FLOPs that remain decide them most.
  return isTimed(goal) ? "flops" : undefined;
}

/** The limit to a property in words: `error ≤ 0.39`. */
export function limitText(goal: Goal): string {
  const limits = metrics.flatMap((metric) => {
    const asked = goal[metric];
    if (asked === undefined) return [];
    if (typeof asked === "string")
      return [`${metric} ≤ ${asked} of the model ${goal.reference === "tuned" ? "trained on" : "as given"}`];
    return [`${metric} ≤ ${metric === "error" ? asked : `${Number((100 * asked).toFixed(2))} %`}`];
  });
  return limits.join(", ");
}
