import { EspalierError, type Model, prune, type Strategy } from "@espalier/core";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { head } from "@espalier/strategy-head";
import { type UnstructuredOptions, unstructured } from "@espalier/strategy-unstructured";

/** The pruned variants of each subject. */
export type Family = "dense" | "unstructured" | "2x1" | "4x1" | "16x16" | "channels" | "combined";

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

const pruneBy =
  (strategy: Strategy, amount: number) =>
  async (model: Model): Promise<Model> =>
    prune(model, await strategy.plan({ model, amount }));

/** Halves feed-forward widths, heads and the embedding, each by itself. */
const halves = [head(local), channel({ ...local, dimensions: ["feed-forward", "embedding"] })];

const dense: Variant = {
  id: "dense",
  family: "dense",
  percent: 0,
  masked: false,
  make: async (model) => model,
};

function masked(family: Family, percent: number, options: UnstructuredOptions = local): Variant {
  const make = pruneBy(unstructured(options), percent / 100);
  return { id: `${family}-${percent}`, family, percent, masked: true, make };
}

const channels: Variant = {
  id: "channels-50",
  family: "channels",
  percent: 50,
  masked: false,
  // Two stages of equal weight at 75 % remove half each.
  make: pruneBy(combined(halves), 0.75),
};

const both: Variant = {
  id: "combined-80",
  family: "combined",
  percent: 80,
  masked: true,
  make: pruneBy(
    combined([...halves, unstructured(local)], { weights: [Math.LN2, Math.LN2, Math.log(5)] }),
    1 - 0.5 * 0.5 * 0.2,
  ),
};

const singles = [50, 70, 80, 90, 95];

/** Variants that are timed with random weights, dense first; masks are random, with the same density in every weight. */
export const variants: readonly Variant[] = [
  dense,
  ...singles.map((percent) => masked("unstructured", percent)),
  // Consecutive outputs that share an input go together.
  ...(["2x1", "4x1"] as const).flatMap((structure) =>
    [50, 80, 90].map((percent) => masked(structure, percent, { ...local, structure })),
  ),
  channels,
  both,
];

/** Variants that are timed on a GPU, where single zeros save no time: removed channels, and blocks as large as kernels can skip. */
export const gpuVariants: readonly Variant[] = [
  dense,
  channels,
  ...[50, 80].map((percent) => masked("16x16", percent, { ...local, structure: "16x16" })),
];

/** Variants that are timed with trained weights: masked by magnitude over the whole model. */
export const trainedVariants: readonly Variant[] = [
  dense,
  ...singles.map((percent) => masked("unstructured", percent, {})),
];

/** Variants by id or family; dense, which all are compared with, always. */
export function selectVariants(asked: readonly string[] | undefined, from: readonly Variant[]): Variant[] {
  if (asked === undefined) return [...from];
  const known = [...new Set(from.flatMap(({ id, family }) => [family, id]))];
  const unknown = asked.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new EspalierError(`variant "${unknown}" is not known. Known: ${known.join(", ")}.`);
  return from.filter(({ id, family }) => family === "dense" || asked.includes(id) || asked.includes(family));
}
