import type { Model, Strategy } from "@espalier/core";
import { smallModels } from "@espalier/models/testing";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { depth } from "@espalier/strategy-depth";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";

/** Every architecture, small, with weights of its own. */
export const models: readonly (readonly [string, Model])[] = [
  ...smallModels({
    inputLength: 24,
    horizon: 12,
    series: 3,
    labelLength: 12,
    marks: 4,
    width: 16,
    heads: 4,
    feedForward: 24,
    blocks: 2,
    patchLength: 8,
    segmentLength: 6,
    movingAverage: 5,
    modes: 4,
    factor: 3,
  }),
].map(([name, architecture]) => [name, architecture.initialize(1)]);

/**
 * What is pruned, with which strategy, and how much of it: down to single heads and channels, whose dimensions the shapes
 * do not show any more. Where a model has nothing of the kind, it comes back as it was.
 */
export const strategies: readonly (readonly [string, Strategy, number])[] = [
  ["half of the heads", head(), 0.5],
  ["all but one head", head(), 0.99],
  ["attention branches", head({ keepAtLeast: 0, scope: "local", keep: ["decoder.*"] }), 0.99],
  ["attention and feed-forward modules", depth(), 0.6],
  ["channels", channel(), 0.95],
  ["weights", unstructured(), 0.8],
  ["heads, channels and weights", combined([head(), channel(), unstructured()]), 0.6],
];
