import type { Architecture } from "@espalier/core/graph";
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
} from "../src/index.ts";

/** Widths a model can be drawn at; `heads` divides `width`. */
export interface Widths {
  readonly width: number;
  readonly heads: number;
  readonly feedForward: number;
}

/** All sizes differ, so that none is taken for another: 3 heads of 4 channels. */
export const full: Widths = { width: 12, heads: 3, feedForward: 10 };

const lengths = { inputLength: 9, horizon: 5, series: 2 };
const decoded = { ...lengths, labelLength: 4, marks: 2 };
const segments = { segmentLength: 3, factor: 2 };

/** Every model in a small configuration. */
export const smallModels: Readonly<Record<string, (widths: Widths) => Architecture>> = {
  PatchTST: (widths) => patchTST({ ...lengths, ...widths, patchLength: 6, stride: 4 }),
  iTransformer: (widths) => iTransformer({ ...lengths, ...widths, marks: 2 }),
  Crossformer: (widths) => crossformer({ ...lengths, ...widths, ...segments, inputLength: 13, layers: 2 }),
  "SedimarkCrossformer, asPublished": (widths) =>
    sedimarkCrossformer({ ...lengths, ...widths, ...segments, blocks: 1, variant: "asPublished" }),
  "SedimarkCrossformer, connected": (widths) =>
    sedimarkCrossformer({ ...lengths, ...widths, ...segments, blocks: 1, variant: "connected" }),
  TimeXer: (widths) => timeXer({ ...lengths, ...widths, marks: 2, patchLength: 4, layers: 1 }),
  NonstationaryTransformer: (widths) =>
    nonstationaryTransformer({ ...decoded, ...widths, layers: 1, projectorWidths: [5] }),
  Transformer: (widths) => transformer({ ...decoded, ...widths, layers: 1 }),
  Informer: (widths) => informer({ ...decoded, ...widths, factor: 1 }),
  Autoformer: (widths) => autoformer({ ...decoded, ...widths, layers: 1, movingAverage: 3, factor: 1 }),
  FEDformer: (widths) => fedformer({ ...decoded, ...widths, movingAverage: 3, modes: 3 }),
  DLinear: () => dLinear({ ...lengths, movingAverage: 3 }),
};

/** Models in which a width cannot shrink everywhere, so that no smaller drawing is what pruning gives. */
export const partlyFixed: ReadonlySet<string> = new Set(["FEDformer"]);
