import type { Target } from "@espalier/core";
import { expand, type Recipe } from "@espalier/recipe";
import type { NamedPoint } from "./space.ts";

/**
 * Recipes of the gallery as points of the standard space, each at its own size. They differ from the files in their
 * length, and in settings that the space does not have.
 */
export const galleryPoints: readonly NamedPoint[] = [
  {
    label: "removed-then-masked",
    point: {
      size: 0.0295,
      attention: 0,
      channels: "then masks",
      "channels.share": 0.54,
      learningRate: 0.004,
    },
  },
  {
    // Not in the gallery: the extreme of the one before it. On ETTh1 the best small models have no modules left.
    label: "all-modules-then-masked",
    point: {
      size: 0.0075,
      attention: 0,
      feedForward: 0,
      channels: "then masks",
      "channels.share": 0.7,
      learningRate: 0.008,
      distill: 0,
    },
  },
  {
    label: "channels-then-masked",
    point: { size: 0.045, channels: "then masks", "channels.share": 0.52, learningRate: 0.004 },
  },
  { label: "gradual-cubic", point: { size: 0.14, channels: "keep", learningRate: 0.004 } },
  {
    label: "heads-channels-weights",
    point: {
      size: 0.2,
      heads: "remove",
      "heads.share": 0.17,
      channels: "then masks",
      "channels.share": 0.17,
      learningRate: 0.004,
    },
  },
  {
    label: "half-flops",
    point: { size: 0.5, channels: "only", "channels.multipleOf": 4, learningRate: 0.004 },
  },
];

const long = {
  epochs: 5,
  learningRate: 0.004,
  rateSchedule: "cosine",
  warmup: 0.05,
  patience: 0,
} as const;

/**
 * Fixed recipes to compare with: those of the gallery that can have any size, with their own tuning, at a given size.
 */
export function galleryAt(target: Target): { readonly label: string; readonly recipe: Recipe }[] {
  const unstructured = { use: "unstructured" };
  const attention = { use: "depth", modules: ["attention"], keepAtLeast: 0 };
  const fixed: readonly (readonly [string, Recipe])[] = [
    [
      "magnitude-90",
      expand({
        strategies: [{ ...unstructured, criterion: "l1", scope: "global" }],
        target,
        fineTuning: { epochs: 3, learningRate: 0.0005 },
      }),
    ],
    [
      "gradual-cubic",
      expand({
        strategies: [unstructured],
        target,
        schedule: { curve: "cubic", gradual: { until: 0.6, every: 50 } },
        fineTuning: { ...long, distill: 0.5 },
      }),
    ],
    [
      "heads-channels-weights",
      expand({
        strategies: [{ use: "head" }, { use: "channel" }, unstructured],
        combined: { weights: [1, 1, 4] },
        target,
        fineTuning: { epochs: 4, learningRate: 0.0005, distill: 0.5 },
      }),
    ],
    [
      "channels-then-masked",
      {
        format: 2,
        steps: [
          { do: "prune", strategy: { use: "channel" }, target: { flops: 0.2 }, reconstruct: {} },
          { do: "tune", fit: long, distill: 0.5, masks: { strategy: unstructured, target } },
        ],
      },
    ],
    [
      "removed-then-masked",
      {
        format: 2,
        steps: [
          {
            do: "prune",
            strategy: attention,
            target: { flops: 0.5 },
            acceptNearest: true,
            reconstruct: {},
          },
          { do: "prune", strategy: { use: "channel" }, target: { flops: 0.15 }, reconstruct: {} },
          { do: "tune", fit: long, distill: 0.5, masks: { strategy: unstructured, target } },
        ],
      },
    ],
  ];
  return fixed.map(([label, recipe]) => ({ label, recipe }));
}
