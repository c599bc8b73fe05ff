import {
  type Criterion,
  criterionNames,
  lamp,
  type PlanRequest,
  prunableTensors,
  type Strategy,
  type StrategyPlugin,
} from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import {
  type Block,
  checkAmount,
  findCriterion,
  isCriterion,
  maskWeakest,
  maskWithinRuns,
  matchesAny,
  nothingToPrune,
  perModel,
  rankWeights,
  type WeightRanking,
  writePlan,
} from "@espalier/core/pruning";
import { z } from "zod";

interface Structure {
  readonly block?: Block;
  readonly pattern?: { readonly n: number; readonly m: number };
}

function readStructure(text: string): Structure {
  const [a, b] = text.split(/[x:]/).map(Number) as [number, number];
  return text.includes("x") ? { block: [a, b] } : { pattern: { n: a, m: b } };
}

const schema = z
  .strictObject({
    criterion: z
      // Core checks the name, and suggests the nearest one.
      .union([z.string(), z.custom<Criterion>(isCriterion)])
      .default("l1")
      .describe(`importance: ${criterionNames.join(", ")}; wsap also decides each tensor's share`),
    scope: z
      .enum(["row", "local", "global", "isomorphic", "erk", "lamp"])
      .optional()
      .describe(
        "how density is distributed: global (the default) and isomorphic rank all tensors together, or those of similar layers; local gives each tensor the same; erk goes by shape; lamp uses LAMP's scores (Lee et al., ICLR 2021) for the shares, and the criterion within a tensor; row gives each output the same, like Wanda",
      ),
    structure: z
      .string()
      .regex(/^[1-9]\d*[x:][1-9]\d*$/, 'give blocks as rows x columns ("4x1"), or a pattern as n:m ("2:4")')
      .transform(readStructure)
      .refine(({ pattern }) => pattern === undefined || pattern.n < pattern.m, {
        message: "a pattern n:m keeps n of m weights in a row, so n must be less than m, as in 2:4",
      })
      .default({})
      .describe(
        "unit of masking: blocks of rows x columns, outputs x inputs (4x1), or a pattern (2:4: of four consecutive weights at least two stay); single weights by default",
      ),
    leastDensity: z
      .number()
      .min(0)
      .max(1)
      .default(0.25)
      .describe("least density of a tensor, as a share of the average; 0 allows a layer to be emptied"),
    keep: z
      .array(z.string())
      .default([])
      .describe("tensors to leave unpruned, by name pattern (* for any text)"),
    seed: z.int().default(0).describe("seed of the criterion random"),
  })
  .refine(({ scope = "row", structure }) => scope === "row" || structure.pattern === undefined, {
    message: "cannot be combined with a pattern such as 2:4, which compares the weights of every run",
    path: ["scope"],
  })
  .refine(({ scope, structure }) => scope !== "row" || structure.block === undefined, {
    message: "cannot be row with blocks, which span rows",
    path: ["scope"],
  });

/** Options of unstructured pruning. The schema describes each; the help and the recipe reference list them. */
export type UnstructuredOptions = z.input<typeof schema>;

/**
 * Masks single weights, lowest importance first, in tensors with two or more axes. `amount` is the share of those
 * weights. Global and local magnitude: Han et al., NeurIPS 2015; weight statistics: SEDIMARK.
 */
export function unstructured(options: UnstructuredOptions = {}): Strategy {
  const {
    criterion: chosen,
    scope = "global",
    structure,
    leastDensity,
    keep,
    seed,
  } = readBy(schema, options, 'strategy "unstructured"');
  const { block, pattern } = structure;
  const criterion = findCriterion(chosen, seed);
  const scored = perModel<ReadonlyMap<string, Float32Array>>();
  const ranked = perModel<WeightRanking>();
  const lampRanked = perModel<WeightRanking>();
  const scores = (request: PlanRequest, tensors: readonly string[]) =>
    scored(request.model, () => criterion.weights(request, tensors));
  const rankings = (request: PlanRequest, tensors: readonly string[]) =>
    ranked(request.model, async () =>
      rankWeights(request.model, await criterion.weights(request, tensors), block),
    );
  /** The ranking that decides how many weights each tensor loses, if it is not the criterion's. */
  const allocation = async ({ model }: PlanRequest, tensors: readonly string[]) =>
    scope === "lamp"
      ? {
          by: await lampRanked(model, async () =>
            rankWeights(model, await lamp.weights({ model }, tensors), block),
          ),
        }
      : {};
  return {
    name: "unstructured",
    async plan(request) {
      const { model, amount } = request;
      checkAmount(amount);
      const tensors = prunableTensors(model).filter((name) => !matchesAny(keep, name));
      if (tensors.length === 0) return nothingToPrune(model, "unstructured", "weight", () => false);
      if (scope === "row" || pattern !== undefined) {
        const within = { amount, ...(pattern === undefined ? {} : { pattern }) };
        const steps = maskWithinRuns(model, await scores(request, tensors), within);
        return writePlan(model, "unstructured", steps);
      }
      const shares = criterion.shares?.(model, tensors, amount);
      const steps = maskWeakest(await rankings(request, tensors), {
        ...(await allocation(request, tensors)),
        amount,
        scope: scope === "lamp" ? "global" : scope,
        leastDensity,
        ...(shares === undefined ? {} : { shares }),
      });
      return writePlan(model, "unstructured", steps);
    },
  };
}

/** Unstructured pruning by name, for commands, recipes and sweeps. */
export const plugin: StrategyPlugin = {
  name: "unstructured",
  changes: "masks",
  description: "mask single weights by importance (magnitude by default)",
  schema,
  create: (options) => unstructured(options as UnstructuredOptions),
};
