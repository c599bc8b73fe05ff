/** A model that comes with the page. */
export interface ShippedModel {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  /** Where its file is, or the seed its weights are drawn from. */
  readonly origin: { readonly url: URL } | { readonly seed: number; readonly options: WideOptions };
}

interface WideOptions {
  readonly inputLength: number;
  readonly horizon: number;
  readonly series: number;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly layers: number;
}

export const shippedModels: readonly ShippedModel[] = [
  {
    id: "itransformer-etth1",
    title: "iTransformer",
    about: "width 128, 2 layers, 8 heads; trained on ETTh1",
    origin: { url: new URL("./models/itransformer-etth1.onnx", import.meta.url) },
  },
  {
    id: "patchtst-etth1",
    title: "PatchTST",
    about: "width 64, 2 layers, 4 heads; trained on ETTh1",
    origin: { url: new URL("./models/patchtst-etth1.onnx", import.meta.url) },
  },
  {
    id: "itransformer-wide",
    title: "iTransformer, wide",
    about: "width 512, 3 layers, 8 heads; drawn from a seed, not trained: it is here for its speed",
    origin: {
      seed: 1,
      options: { inputLength: 96, horizon: 96, series: 7, width: 512, feedForward: 512, heads: 8, layers: 3 },
    },
  },
];

export const shippedSeries: { readonly file: string; readonly title: string; readonly url: URL } = {
  file: "ETTh1, an excerpt",
  title: "ETTh1",
  url: new URL("./data/etth1-excerpt.csv", import.meta.url),
};
