/** A search whose results are published: the command that repeats it, and what it had to reach. */
export interface PublishedSearch {
  /** Name of its file, without the ending. */
  readonly name: string;
  readonly model: string;
  readonly data: string;
  /** Arguments of `espalier search` after the model. */
  readonly options: string;
  /** Arguments of `espalier train` that made the model; absent for checkpoints that were given. */
  readonly trained?: string;
  readonly asked?: {
    /** Test error of the reference: of the checkpoint, or of the checkpoint trained on. */
    readonly test: number;
    readonly factor: number;
    /** The share that the best model found by hand had. */
    readonly byHand?: number;
    /** The share to reach; of the time if the goal is latency. */
    readonly share: number;
  };
}

const etth1 = "ETTh1";
const full = "--epochs 9 --proposals 2";

/** In the order of the page. */
export const published: readonly PublishedSearch[] = [
  {
    name: "itransformer-given",
    model: "iTransformer 128",
    data: etth1,
    options: `--error +0% --evaluations 48 --no-compare ${full}`,
    asked: { test: 0.3991, factor: 1, byHand: 0.0079, share: 0.006 },
  },
  {
    name: "itransformer-tuned",
    model: "iTransformer 128",
    data: etth1,
    options: `--error +1% --reference tuned --evaluations 140 --no-compare ${full}`,
    asked: { test: 0.3831, factor: 1.01, byHand: 0.015, share: 0.012 },
  },
  {
    name: "itransformer-latency",
    model: "iTransformer 128",
    data: etth1,
    options: `--error +1% --reference tuned --minimize latency --latency-backend wasm --batch 32 --evaluations 100 --no-compare ${full}`,
    asked: { test: 0.3831, factor: 1.01, share: 1 / 15 },
  },
  {
    name: "patchtst-given",
    model: "PatchTST 64",
    data: etth1,
    options: `--dataset ETTh1 --error -0.5% --evaluations 120 --no-compare ${full}`,
    asked: { test: 0.3938, factor: 1, byHand: 0.04, share: 0.025 },
  },
  {
    name: "patchtst-tuned",
    model: "PatchTST 64",
    data: etth1,
    options: `--dataset ETTh1 --error +1% --reference tuned --evaluations 160 --no-compare ${full}`,
    asked: { test: 0.3757, factor: 1.01, byHand: 0.148, share: 0.07 },
  },
  ...["exchange_rate", "weather"].map((data) => ({
    name: `itransformer-${data.replace("_", "-")}`,
    model: "iTransformer 64",
    data,
    trained: `--model iTransformer --dataset ${data} --set width=64 --set feedForward=64 --set heads=4 --set layers=2 --epochs 5 --batches-per-epoch 200 --learning-rate 0.001 --patience 0`,
    options:
      "--error +1% --reference tuned --evaluations 40 --epochs 6 --batches-per-epoch 100 --proposals 2",
  })),
];
