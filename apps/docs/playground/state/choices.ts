import type { Choice, StrategyName } from "../protocol.ts";

/** The choices on the page, and their labels. */

export interface Option<T extends string> {
  readonly value: T;
  readonly title: string;
  readonly about: string;
}

export const strategies: readonly Option<StrategyName>[] = [
  { value: "head", title: "Heads", about: "Whole attention heads go, weakest first." },
  { value: "channel", title: "Channels", about: "Widths shrink: feed-forward, heads, embedding." },
  { value: "depth", title: "Depth", about: "Whole attention and feed-forward modules go." },
  { value: "unstructured", title: "Weights", about: "Single weights become zero; shapes stay." },
  { value: "combined", title: "Combined", about: "Heads, channels, then weights, as 1 : 1 : 4." },
];

export interface CriterionOption extends Option<string> {
  /** Looks at the shown series. */
  readonly data: boolean;
  readonly strategies: readonly StrategyName[];
}

const all: readonly StrategyName[] = ["head", "channel", "depth", "unstructured", "combined"];

export const criteria: readonly CriterionOption[] = [
  { value: "l2", title: "Magnitude, L2", about: "small weights go first", data: false, strategies: all },
  { value: "l1", title: "Magnitude, L1", about: "small weights go first", data: false, strategies: all },
  {
    value: "lamp",
    title: "LAMP",
    about: "magnitude relative to the larger weights of its layer",
    data: false,
    strategies: all,
  },
  {
    value: "geometric-median",
    title: "Geometric median",
    about: "what the others can stand in for goes first",
    data: false,
    strategies: ["head", "channel"],
  },
  {
    value: "wsap",
    title: "Weight statistics (WSAP)",
    about: "layers with more varied weights lose more",
    data: false,
    strategies: ["unstructured"],
  },
  {
    value: "taylor",
    title: "Taylor",
    about: "what changes the loss least, by its gradient",
    data: true,
    strategies: all,
  },
  {
    value: "spat",
    title: "SPAT",
    about: "what the loss feels least, window by window",
    data: true,
    strategies: ["head", "channel", "depth"],
  },
  {
    value: "fisher",
    title: "Fisher",
    about: "what changes the loss least, by the squared gradient",
    data: true,
    strategies: all,
  },
  {
    value: "wanda",
    title: "Wanda",
    about: "magnitude times what the weight is given",
    data: true,
    strategies: all,
  },
  {
    value: "random",
    title: "Random",
    about: "the yardstick: anything should beat it",
    data: false,
    strategies: all,
  },
];

export const criteriaFor = (strategy: StrategyName): readonly CriterionOption[] =>
  criteria.filter(({ strategies: known }) => known.includes(strategy));

export const structures: readonly Option<"" | "4x1" | "2:4">[] = [
  { value: "", title: "Single weights", about: "any" },
  { value: "4x1", title: "Blocks of 4 × 1", about: "four outputs of one input go together" },
  { value: "2:4", title: "2 : 4 at most", about: "of four weights in a row two stay at least" },
];

export type Metric = "sparsity" | "flops" | "bytes";

export const metrics: readonly Option<Metric>[] = [
  { value: "sparsity", title: "parameters", about: "Zero or gone, of all the model had." },
  { value: "flops", title: "FLOPs", about: "Of one forecast, zeros skipped." },
  { value: "bytes", title: "bytes", about: "As stored; a masked weight takes a bit." },
];

/** The target that removes a share of what a metric counts. */
export function targetOf(metric: Metric, removed: number): Choice["target"] {
  if (metric === "sparsity") return { sparsity: removed };
  // Decimal fractions, so that the command line can be given the same number.
  const left = Number((1 - removed).toFixed(4));
  return metric === "flops" ? { flops: left } : { bytes: left };
}
