import type { Model, Strategy } from "@espalier/core";
import {
  autoformer,
  crossformer,
  dLinear,
  fedformer,
  informer,
  iTransformer,
  nonstationaryTransformer,
  patchTST,
  sedimarkCrossformer,
  timeXer,
  transformer,
} from "@espalier/models";
import { channel } from "@espalier/strategy-channel";
import { combined } from "@espalier/strategy-combined";
import { depth } from "@espalier/strategy-depth";
import { head } from "@espalier/strategy-head";
import { unstructured } from "@espalier/strategy-unstructured";

const lengths = { inputLength: 24, horizon: 12, series: 3 };
const small = { ...lengths, width: 16, feedForward: 24, heads: 4, layers: 2 };
const seeing = { ...small, labelLength: 12 };

/** Every architecture, small, with weights of its own. */
export const models: readonly (readonly [string, Model])[] = [
  patchTST({ ...small, patchLength: 8, stride: 4 }),
  iTransformer({ ...small, marks: 4 }),
  crossformer({ ...small, segmentLength: 6 }),
  sedimarkCrossformer({
    ...lengths,
    width: 16,
    feedForward: 24,
    heads: 4,
    blocks: 2,
    variant: "asPublished",
  }),
  sedimarkCrossformer({ ...lengths, width: 16, feedForward: 24, heads: 4, blocks: 2, variant: "connected" }),
  timeXer({ ...small, patchLength: 8, marks: 4 }),
  transformer(seeing),
  nonstationaryTransformer({ ...seeing, projectorWidths: [8] }),
  informer({ ...seeing, factor: 2 }),
  autoformer({ ...seeing, movingAverage: 5 }),
  fedformer({ ...seeing, movingAverage: 5, modes: 4 }),
  dLinear({ ...lengths, movingAverage: 5 }),
].map((architecture) => {
  const { variant } = architecture.options as { readonly variant?: string };
  return [[architecture.name, variant].filter(Boolean).join(" "), architecture.initialize(1)];
});

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
