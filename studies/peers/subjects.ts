import { join } from "node:path";
import type { Model } from "@espalier/core";
import { readBytes, readTensors } from "@espalier/formats/node";
import { crossformer, fromOriginalConfig, iTransformer, patchTST } from "@espalier/models";
import { drawModel, type Registry } from "@espalier/recipe";
import { trainedVariants, type Variant, variants } from "./variants.ts";

/** A model that is timed, and what of it. */
export interface Subject {
  readonly name: string;
  readonly variants: readonly Variant[];
  /** Also timed: steps of training. */
  readonly training: boolean;
  load(): Promise<Model>;
}

const series = 7;
const etth = { inputLength: 96, horizon: 96, series, dropout: 0 };

/** The models whose speed is promised, with random weights; without dropout, so that losses of runtimes can be compared. */
export function randomSubjects(seed = 1): Subject[] {
  const architectures = [
    iTransformer({ ...etth, width: 512, feedForward: 512, heads: 8, layers: 3 }),
    patchTST({ ...etth, inputLength: 336, width: 128, feedForward: 256, heads: 8, layers: 3 }),
    crossformer({ ...etth, width: 256, feedForward: 512, heads: 4, layers: 3 }),
  ];
  return architectures.map((architecture) => ({
    name: architecture.name,
    variants,
    training: true,
    load: async () => architecture.initialize(seed),
  }));
}

/** Checkpoints trained on ETTh1 with Time-Series-Library, masked by magnitude: folders of `shared/reference/trained`. */
export function trainedSubjects(folder: string, registry: Registry): Subject[] {
  return ["iTransformer_ETTh1", "PatchTST_ETTh1"].map((name) => ({
    name: `${name.replace("_", " (trained on ")})`,
    variants: trainedVariants,
    training: false,
    async load() {
      const text = new TextDecoder().decode(await readBytes(join(folder, name, "result.json"), "reference"));
      const { model, config } = JSON.parse(text) as { model: string; config: Record<string, unknown> };
      const weights = await readTensors(join(folder, name, "weights.safetensors"));
      return drawModel(registry, { ...fromOriginalConfig(model, config), use: model }).load(weights);
    },
  }));
}
