import { type Criterion, criterionNames, type Strategy, type StrategyPlugin } from "@espalier/core";
import { isCriterion, structuredStrategy } from "@espalier/core/pruning";
import { z } from "zod";

const schema = z.strictObject({
  criterion: z
    // Which names there are is core's to say, with the nearest one.
    .union([z.string(), z.custom<Criterion>(isCriterion)])
    .default("l2"),
  scope: z.enum(["local", "global", "isomorphic"]).default("global"),
  keepAtLeast: z.int().min(0).default(1),
  keep: z.array(z.string()).default([]),
  seed: z.int().default(0),
});

/**
 * - `criterion`: importance of a head; `l2` of its weights by default.
 * - `scope`: what is ranked together; `global` by default.
 * - `keepAtLeast`: heads every attention keeps (1); 0 lets a whole attention branch go, its output bias stays.
 * - `keep`: dimensions or tensors left alone, by name pattern (`*` for any text).
 * - `seed`: of `random`.
 */
export type HeadOptions = z.input<typeof schema>;

/** Removes whole attention heads, weakest first (Michel et al., NeurIPS 2019). `amount` is the share of heads. */
export function head(options: HeadOptions = {}): Strategy {
  const parsed = schema.parse(options);
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
  options: {
    criterion: `importance: ${criterionNames.join(", ")} (l2)`,
    scope: "ranked together: local, global (the default) or isomorphic",
    keepAtLeast: "heads every attention keeps (1); 0 lets a whole branch go",
    keep: "dimensions or tensors left alone, by name pattern (* for any text)",
    seed: "seed of the criterion random (0)",
  },
  schema,
  create: (options) => head(options as HeadOptions),
};
