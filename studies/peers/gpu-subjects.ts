import type { Architecture } from "@espalier/core/graph";
import {
  autoformer,
  crossformer,
  dLinear,
  fedformer,
  informer,
  iTransformer,
  patchTST,
  sedimarkCrossformer,
  transformer,
} from "@espalier/models";
import type { Subject } from "./subjects.ts";
import { gpuVariants } from "./variants.ts";

/** `full`: as the papers have them. `small`: the same graphs in widths that a program gets through in minutes. */
export type GpuPreset = "full" | "small";

interface Sizes {
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly layers: number;
}

type Draw = (preset: GpuPreset) => Architecture;

const lengths: Readonly<Record<GpuPreset, { inputLength: number; horizon: number; series: number }>> = {
  full: { inputLength: 96, horizon: 96, series: 7 },
  small: { inputLength: 24, horizon: 12, series: 3 },
};

const small: Sizes = { width: 32, feedForward: 32, heads: 2, layers: 1 };

function sized(preset: GpuPreset, full: Sizes) {
  return { ...lengths[preset], ...(preset === "small" ? small : full) };
}

const wide = { width: 512, feedForward: 512, heads: 8, layers: 3 };
const decoding = { width: 512, feedForward: 2048, heads: 8, layers: 2 };

/** The ten models, SEDIMARK's in both of its variants. */
const drawings: Readonly<Record<string, Draw>> = {
  iTransformer: (preset) => iTransformer(sized(preset, wide)),
  PatchTST: (preset) =>
    patchTST({
      ...sized(preset, { width: 128, feedForward: 256, heads: 8, layers: 3 }),
      ...(preset === "full" ? { inputLength: 336 } : {}),
    }),
  Crossformer: (preset) => crossformer(sized(preset, { width: 256, feedForward: 512, heads: 4, layers: 3 })),
  Transformer: (preset) => transformer({ ...sized(preset, decoding), ...labelled(preset) }),
  Informer: (preset) => informer({ ...sized(preset, decoding), ...labelled(preset) }),
  Autoformer: (preset) => autoformer({ ...sized(preset, decoding), ...labelled(preset) }),
  FEDformer: (preset) => fedformer({ ...sized(preset, decoding), ...labelled(preset) }),
  DLinear: (preset) => dLinear(lengths[preset]),
  "SEDIMARK Crossformer, as published": (preset) => sedimark(preset, "asPublished"),
  "SEDIMARK Crossformer, connected": (preset) => sedimark(preset, "connected"),
};

function labelled(preset: GpuPreset): { labelLength: number } {
  return { labelLength: lengths[preset].inputLength / 2 };
}

function sedimark(preset: GpuPreset, variant: "asPublished" | "connected"): Architecture {
  const { width, feedForward, heads } =
    preset === "small" ? small : { width: 256, feedForward: 512, heads: 8 };
  return sedimarkCrossformer({ width, feedForward, heads, variant });
}

/** Names of the models that are timed on a GPU. */
export const gpuModels: readonly string[] = Object.keys(drawings);

/** The models with random weights of a seed, to be timed on a GPU. */
export function gpuSubjects(preset: GpuPreset, seed = 1): Subject[] {
  return Object.entries(drawings).map(([name, draw]) => ({
    name,
    variants: gpuVariants,
    training: false,
    load: async () => draw(preset).initialize(seed),
  }));
}
