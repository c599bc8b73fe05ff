import { formatShare, type Stat, type Table } from "@espalier/report";

/** Verdict of the runs on a claim. */
export type Verdict =
  | "holds"
  | "holds in part"
  | "does not hold"
  | "cannot be judged here"
  | "not claimed, measured";

/** The published claim, the verdict of the runs, and the figures. */
export interface Claim {
  /** In the words of the work, or what it implies. */
  readonly says: string;
  readonly verdict: Verdict;
  /** The rule, which was there before the runs. */
  readonly rule: string;
  /** How the verdict follows from the figures. */
  readonly because: string;
  /** Absent while nothing is measured. */
  readonly figures?: Table | undefined;
}

/**
 * Whether a comparison supports a claim. `open`: the spread over the seeds reaches over the bound. `missing`: it has not run
 * with enough seeds, or on a set-up that bears no verdict.
 */
export type Outcome = "yes" | "no" | "open" | "missing";

/** How all claims are judged. */
export const howJudged = [
  "A comparison counts with at least three seeds, on every window of the test split, and with dense models that are trained: where the literature has an error for the model, theirs is at most 3 % above it. Other runs bear no verdict.",
  "Errors are compared seed by seed: the pruned model's MSE ÷ that of the dense model that it was made from. Mean ± sample standard deviation over the seeds must lie wholly on one side of the bound; a comparison whose spread reaches over it is open.",
  "A claim holds if every comparison supports it, does not hold if none does, and holds in part if some do and some do not. It cannot be judged here if a comparison is missing, or if nothing but open ones stands against a verdict.",
];

/** How much more error than the dense model's still counts as comparable, and as none. */
export const comparable = 0.05;
export const lossless = 0.01;
/** From this ratio on, beyond the spread of the measurement, a pruned model counts as faster. */
export const faster = 1.1;
/** How far above the literature's error a dense model may be and still count as trained. */
export const trainedWithin = 0.03;
/** Seeds that a comparison of errors needs. */
export const seedsNeeded = 3;

/** Whether a number lies at or below a bound, with all of its spread. */
export function atMost({ mean, spread }: Stat, bound: number): "yes" | "no" | "open" {
  if (mean + spread <= bound) return "yes";
  return mean - spread > bound ? "no" : "open";
}

export function verdictOf(outcomes: readonly Outcome[]): Verdict {
  const has = (outcome: Outcome) => outcomes.includes(outcome);
  if (outcomes.length === 0 || has("missing")) return "cannot be judged here";
  if (has("yes") && has("no")) return "holds in part";
  if (has("open")) return "cannot be judged here";
  return has("yes") ? "holds" : "does not hold";
}

/** `3 of 5 models, open in 1, not run in full in 1`. */
export function countOf(outcomes: readonly Outcome[], what: string): string {
  const count = (outcome: Outcome) => outcomes.filter((one) => one === outcome).length;
  if (count("missing") === outcomes.length) return `none of ${outcomes.length} ${what} has run in full`;
  const rest = [
    ["open", count("open")],
    ["not run in full", count("missing")],
  ] as const;
  return [
    `so it is in ${count("yes")} of ${outcomes.length} ${what}`,
    ...rest.flatMap(([name, n]) => (n === 0 ? [] : [`${name} in ${n}`])),
  ].join(", ");
}

/** An outcome as a cell of a table. */
export const outcomeText: Readonly<Record<Outcome, string>> = {
  yes: "yes",
  no: "no",
  open: "open",
  missing: "not run in full",
};

/** A ratio of errors as a change: 1.234 ± 0.02 → `+23 % ± 2 %`, with a decimal where it is small. */
export function changeText({ mean, spread }: Stat): string {
  const change = mean - 1;
  const decimals = Math.abs(change) < 0.1 ? 1 : 0;
  const text = `${change < 0 ? "−" : "+"}${formatShare(Math.abs(change), decimals)}`;
  return spread > 0 ? `${text} ± ${formatShare(spread, decimals)}` : text;
}

/** With a capital and a full stop. */
export function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}
