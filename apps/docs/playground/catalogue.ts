import type { ModelSource, SeriesSource } from "./protocol.ts";

/** A model that comes with the page. */
export interface ShippedModel {
  readonly title: string;
  readonly about: string;
  readonly source: Extract<ModelSource, { shipped: string }>;
}

export const shippedModels: readonly ShippedModel[] = [
  {
    title: "iTransformer",
    about: "width 128, 2 layers, trained on ETTh1",
    source: {
      shipped: "itransformer-etth1",
      origin: { url: new URL("./models/itransformer-etth1.onnx", import.meta.url).href },
    },
  },
  {
    title: "PatchTST",
    about: "width 64, 2 layers, trained on ETTh1",
    source: {
      shipped: "patchtst-etth1",
      origin: { url: new URL("./models/patchtst-etth1.onnx", import.meta.url).href },
    },
  },
  {
    title: "iTransformer, wide",
    about: "width 512, untrained: here for its speed",
    source: {
      shipped: "itransformer-wide",
      origin: {
        seed: 1,
        options: {
          inputLength: 96,
          horizon: 96,
          series: 7,
          width: 512,
          feedForward: 512,
          heads: 8,
          layers: 3,
        },
      },
    },
  },
];

export const shippedSeries: Extract<SeriesSource, { shipped: string }> = {
  shipped: "etth1-excerpt.csv",
  url: new URL("./data/etth1-excerpt.csv", import.meta.url).href,
};
