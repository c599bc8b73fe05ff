import {
  type Criterion,
  criterionNames,
  type DimensionKind,
  type Strategy,
  type StrategyPlugin,
} from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { isCriterion, structuredStrategy } from "@espalier/core/pruning";
import { z } from "zod";

const kindsOf: Readonly<Record<string, readonly DimensionKind[]>> = {
  "feed-forward": ["channel"],
  "head-channel": ["query-key-channel", "value-channel"],
  embedding: ["embedding"],
};

const schema = z.strictObject({
  criterion: z
    // Core checks the name, and suggests the nearest one.
    .union([z.string(), z.custom<Criterion>(isCriterion)])
    .default("l2")
    .describe(`importance: ${criterionNames.join(", ")}`),
  scope: z
    .enum(["local", "global", "isomorphic"])
    .default("isomorphic")
    .describe(
      "which dimensions are ranked together: isomorphic, similar dimensions of different layers; local, each by itself (equal shares); global, all",
    ),
  dimensions: z
    .array(z.enum(["feed-forward", "head-channel", "embedding"]))
    .nonempty()
    .default(["feed-forward", "head-channel", "embedding"])
    .describe("which widths, a list; head-channel: inside heads, separately for q·k and v"),
  keepAtLeast: z.int().min(0).default(1).describe("channels that every dimension keeps"),
  multipleOf: z.int().min(1).default(1).describe("kept widths are rounded up to a multiple of this"),
  keep: z
    .array(z.string())
    .default([])
    .describe("dimensions or tensors to leave unpruned, by name pattern (* for any text)"),
  seed: z.int().default(0).describe("seed of the criterion random"),
});

/** Options of channel pruning. The schema describes each; the help and the recipe reference list them. */
export type ChannelOptions = z.input<typeof schema>;

/**
 * Removes channels: feed-forward widths, channels inside heads, and embedding widths, each with everything that belongs
 * to it (Fang et al., CVPR 2023). `amount` is the share of each dimension's indices.
 */
export function channel(options: ChannelOptions = {}): Strategy {
  const parsed = readBy(schema, options, 'strategy "channel"');
  const kinds = parsed.dimensions.flatMap((name) => kindsOf[name]!);
  return structuredStrategy({ ...parsed, name: "channel", what: "channel", kinds });
}

/** Channel pruning by name, for commands, recipes and sweeps. */
export const plugin: StrategyPlugin = {
  name: "channel",
  changes: "structure",
  description: "remove feed-forward, head and embedding channels",
  schema,
  create: (options) => channel(options as ChannelOptions),
};
