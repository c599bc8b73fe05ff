import { modelChecks } from "@espalier/core/testing";
import { describe, expect, it } from "vitest";
import { fromHuggingFaceConfig, type HuggingFacePatchTSTOptions, huggingFacePatchTST } from "../src/index.ts";

const sizes = {
  inputLength: 13,
  horizon: 5,
  series: 2,
  width: 12,
  heads: 3,
  feedForward: 10,
  layers: 2,
  patchLength: 6,
  stride: 4,
};

const variants: Readonly<Record<string, HuggingFacePatchTSTOptions>> = {
  "norms after, all patches": { preNorm: false, norm: "layer", pooling: "none", positions: "learned" },
  "class token": { classToken: true, feedForwardBias: false, activation: "relu", scaling: "none" },
  "attention over the series": { seriesAttention: true, pooling: "max", scaling: "mean" },
  "embeddings of their own": { sharedEmbedding: false, norm: "layer", seriesAttention: true },
};

describe.each(Object.entries(variants))("structured pruning with %s", (_name, options) => {
  const model = huggingFacePatchTST({ ...sizes, ...options }).initialize(1);
  it.each(modelChecks(model).map((check) => [check.name, check] as const))("%s", async (_name, check) => {
    await check.run();
  });
});

describe("a configuration of transformers", () => {
  it("has transformers' defaults where keys are missing", () => {
    const { model, options } = fromHuggingFaceConfig({ model_type: "patchtst" });
    expect(model).toBe("HuggingFacePatchTST");
    expect(options).toMatchObject({ inputLength: 32, horizon: 24, series: 1, patchLength: 1, width: 128 });
    expect(options).toMatchObject({ scaling: "std", norm: "batch", preNorm: true, pooling: "mean" });
  });

  it.each([
    [{ model_type: "informer" }, 'config.json, model_type: "informer" is not one of these.'],
    [{}, "config.json, model_type: is missing"],
    [null, "config.json: expected keys and values"],
    [[], "config.json: expected keys and values"],
    [{ loss: "nll" }, 'loss: "nll" is not supported, only "mse"'],
    [{ loss: null }, "loss: null is not supported"],
    [{ share_projection: false }, "share_projection: false is not supported"],
    [
      { architectures: ["PatchTSTForPretraining"] },
      "architectures: PatchTSTForPretraining does not forecast",
    ],
    [{ activation_function: "silu" }, 'activation_function: "silu" is not one of these.'],
    [{ norm_type: "rms" }, 'norm_type: "rms" is not one of these.'],
    [{ positional_encoding_type: "rotary" }, "positional_encoding_type: "],
    [{ pooling_type: "last" }, "pooling_type: "],
    [{ scaling: "robust" }, "scaling: "],
    [{ scaling_dim: 2 }, "scaling_dim: 2 is not supported"],
    [{ minimum_scale: 0.1 }, "minimum_scale: is not supported"],
    [{ d_model: 10 }, "d_model: must be a multiple of num_attention_heads"],
    [{ patch_length: 32 }, "context_length: must be longer than a patch"],
    [{ d_model: 1e9 }, "d_model: expected at most"],
    [{ num_hidden_layers: 1e6 }, "num_hidden_layers: expected at most 1000"],
    [{ num_hidden_layers: "2" }, 'num_hidden_layers: expected a number, found "2"'],
    [{ patch_stride: 0 }, "patch_stride: expected at least 1"],
    [{ ff_dropout: 1 }, "ff_dropout: "],
    [{ norm_eps: -1 }, "norm_eps: "],
  ])("%j is refused, with the key", (settings, message) => {
    const patchTST = settings !== null && Object.keys(settings).some((key) => key !== "model_type");
    const config = patchTST ? { model_type: "patchtst", ...settings } : settings;
    expect(() => fromHuggingFaceConfig(config)).toThrow(message);
  });
});
