import {
  type Criterion,
  criterionNames,
  type DimensionKind,
  type Strategy,
  type StrategyPlugin,
} from "@espalier/core";
import { isCriterion, structuredStrategy } from "@espalier/core/pruning";
import { z } from "zod";

const kindsOf: Readonly<Record<string, readonly DimensionKind[]>> = {
  "feed-forward": ["channel"],
  "head-channel": ["query-key-channel", "value-channel"],
  embedding: ["embedding"],
};

const schema = z.strictObject({
  criterion: z
    // Which names there are is core's to say, with the nearest one.
    .union([z.string(), z.custom<Criterion>(isCriterion)])
    .default("l2"),
  scope: z.enum(["local", "global", "isomorphic"]).default("isomorphic"),
  dimensions: z
    .array(z.enum(["feed-forward", "head-channel", "embedding"]))
    .nonempty()
    .default(["feed-forward", "head-channel", "embedding"]),
  keepAtLeast: z.int().min(0).default(1),
  multipleOf: z.int().min(1).default(1),
  keep: z.array(z.string()).default([]),
  seed: z.int().default(0),
});

/**
 * - `criterion`: importance of a group; `l2` by default.
 * - `scope`: what is ranked together: dimensions that play the same part in different layers (`isomorphic`, the
 *   default), each by itself (`local`: equal shares everywhere), or all (`global`).
 * - `dimensions`: which widths: `feed-forward`, `head-channel` (inside heads, for q·k and v apart), `embedding`.
 * - `keepAtLeast`: channels every dimension keeps (1).
 * - `multipleOf`: kept widths are rounded up to a multiple of this (1).
 * - `keep`: dimensions or tensors left alone, by name pattern (`*` for any text).
 * - `seed`: of `random`.
 */
export type ChannelOptions = z.input<typeof schema>;

/**
 * Removes channels: feed-forward widths, channels inside heads, and embedding widths, each with everything that belongs
 * to it (Fang et al., CVPR 2023). `amount` is the share of each dimension's indices.
 */
export function channel(options: ChannelOptions = {}): Strategy {
  const parsed = schema.parse(options);
  const kinds = parsed.dimensions.flatMap((name) => kindsOf[name]!);
  return structuredStrategy({ ...parsed, name: "channel", what: "channel", kinds });
}

/** Channel pruning by name, for commands, recipes and sweeps. */
export const plugin: StrategyPlugin = {
  name: "channel",
  changes: "structure",
  description: "remove feed-forward, head and embedding channels",
  options: {
    criterion: `importance: ${criterionNames.join(", ")} (l2)`,
    scope: "ranked together: local, global or isomorphic, the default",
    dimensions: "which widths, a list of feed-forward, head-channel, embedding (all)",
    keepAtLeast: "channels every dimension keeps (1)",
    multipleOf: "kept widths are rounded up to a multiple of this (1)",
    keep: "dimensions or tensors left alone, by name pattern (* for any text)",
    seed: "seed of the criterion random (0)",
  },
  schema,
  create: (options) => channel(options as ChannelOptions),
};
