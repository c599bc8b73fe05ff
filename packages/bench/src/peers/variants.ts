import { EspalierError, type Model, type PruningPlan, prune, writePlan } from "@espalier/core";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";
import { randomBlocks } from "./block-masks.ts";

/** What is pruned, and how. */
export type Family = "dense" | "unstructured" | "2x1" | "4x1" | "channels" | "combined";

/** One way a model is pruned before it is timed. */
export interface Variant {
  /** `unstructured-90`, `4x1-50`, `dense`. */
  readonly id: string;
  readonly family: Family;
  /** Percent of the weights that are zero, or of the channels that are gone. */
  readonly percent: number;
  /** Whether zeros are left in it, which only sparse kernels skip. */
  readonly masked: boolean;
  make(model: Model): Promise<Model>;
}

const local = { criterion: "random", scope: "local" } as const;

/** Halves feed-forward widths, heads and the embedding, each by itself. */
const halves = [head(local), channel({ ...local, dimensions: ["feed-forward", "embedding"] })];

const dense: Variant = {
  id: "dense",
  family: "dense",
  percent: 0,
  masked: false,
  make: async (model) => model,
};

/** Single weights: at random, the same share of every tensor with two or more axes; or the smallest of all. */
export function singleWeights(percent: number, criterion: "random" | "l1" = "random"): Variant {
  const strategy = unstructured({ criterion, scope: criterion === "random" ? "local" : "global" });
  return {
    id: `unstructured-${percent}`,
    family: "unstructured",
    percent,
    masked: true,
    make: async (model) => prune(model, await strategy.plan({ model, amount: percent / 100 })),
  };
}

function blocks(rows: 2 | 4, percent: number): Variant {
  const family = `${rows}x1` as const;
  const plan = (model: Model): PruningPlan =>
    writePlan(model, `random ${family} blocks`, randomBlocks(model, rows, percent / 100, 1));
  return {
    id: `${family}-${percent}`,
    family,
    percent,
    masked: true,
    make: async (model) => prune(model, plan(model)),
  };
}

const channels: Variant = {
  id: "channels-50",
  family: "channels",
  percent: 50,
  masked: false,
  // Two stages of equal weight at 75 % remove half each.
  make: async (model) => prune(model, await combined(halves).plan({ model, amount: 0.75 })),
};

const both: Variant = {
  id: "combined-80",
  family: "combined",
  percent: 80,
  masked: true,
  async make(model) {
    const stages = combined([...halves, unstructured(local)], { weights: [Math.LN2, Math.LN2, Math.log(5)] });
    return prune(model, await stages.plan({ model, amount: 1 - 0.5 * 0.5 * 0.2 }));
  },
};

/** Everything that is timed with random weights, dense first. */
export const variants: readonly Variant[] = [
  dense,
  ...[50, 70, 80, 90, 95].map((percent) => singleWeights(percent)),
  ...([2, 4] as const).flatMap((rows) => [50, 80, 90].map((percent) => blocks(rows, percent))),
  channels,
  both,
];

/** What is timed with trained weights. */
export const trainedVariants: readonly Variant[] = [
  dense,
  ...[50, 70, 80, 90, 95].map((percent) => singleWeights(percent, "l1")),
];

/** Variants by id or family; dense, which all are compared with, always. */
export function selectVariants(asked: readonly string[] | undefined, from: readonly Variant[]): Variant[] {
  if (asked === undefined) return [...from];
  const known = [...new Set(variants.flatMap(({ id, family }) => [family, id]))];
  const unknown = asked.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new EspalierError(`variant "${unknown}" is not known. Known: ${known.join(", ")}.`);
  return from.filter(({ id, family }) => family === "dense" || asked.includes(id) || asked.includes(family));
}
