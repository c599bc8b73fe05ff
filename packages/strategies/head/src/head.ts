import { type Criterion, criterionNames, type Strategy, type StrategyPlugin } from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { isCriterion, structuredStrategy } from "@espalier/core/pruning";
import { z } from "zod";

const schema = z.strictObject({
  criterion: z
    // Core checks the name, and suggests the nearest one.
    .union([z.string(), z.custom<Criterion>(isCriterion)])
    .default("l2")
    .describe(`importance: ${criterionNames.join(", ")}`),
  scope: z
    .enum(["local", "global", "isomorphic"])
    .default("global")
    .describe(
      "which heads are ranked together: local, those of one attention; isomorphic, those of similar layers; global, all",
    ),
  keepAtLeast: z
    .int()
    .min(0)
    .default(1)
    .describe(
      "heads that every attention keeps; 0 allows a whole branch to be removed except its output bias",
    ),
  keep: z
    .array(z.string())
    .default([])
    .describe("dimensions or tensors to leave unpruned, by name pattern (* for any text)"),
  seed: z.int().default(0).describe("seed of the criterion random"),
});

/** Options of head pruning. The schema describes each; the help and the recipe reference list them. */
export type HeadOptions = z.input<typeof schema>;

/** Removes whole attention heads, weakest first (Michel et al., NeurIPS 2019). `amount` is the share of heads. */
export function head(options: HeadOptions = {}): Strategy {
  const parsed = readBy(schema, options, 'strategy "head"');
  return structuredStrategy({
    ...parsed,
    name: "head",
    what: "attention head",
    kinds: ["head"],
    multipleOf: 1,
  });
}

/** Head pruning by name, for commands, recipes and sweeps. */
export const plugin: StrategyPlugin = {
  name: "head",
  changes: "structure",
  description: "remove whole attention heads",
  schema,
  create: (options) => head(options as HeadOptions),
};
