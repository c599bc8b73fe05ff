import { EspalierError } from "@espalier/core";
import { readBy } from "@espalier/core/documents";
import { z } from "zod";
import type { HuggingFacePatchTSTOptions } from "./hugging-face-patch-tst.ts";
import { depth, width } from "./options.ts";

/** A model of this package that a configuration of Hugging Face's transformers describes. */
export interface HuggingFaceModel {
  /** Its name in the registry. */
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The configuration's key for each option that shapes of weights show, for messages. */
  readonly keys: Readonly<Record<string, string>>;
}

/** A setting of which only one value is supported. It may be missing: that value is the default. */
function only(value: string | number | boolean, why: string) {
  const error = ({ input }: { readonly input: unknown }) =>
    `${JSON.stringify(input)} is not supported, only ${JSON.stringify(value)}: ${why}.`;
  return z
    .unknown()
    .refine((given) => given === value, { error })
    .optional();
}

const ratio = z.number().min(0).lt(1).default(0);

/** Settings of `PatchTSTConfig` that decide what is computed, with its defaults. Others are ignored. */
const patchTST = z
  .object({
    num_input_channels: width.default(1),
    context_length: width.default(32),
    prediction_length: width.default(24),
    patch_length: width.default(1),
    patch_stride: width.default(1),
    num_hidden_layers: depth.default(3),
    d_model: width.default(128),
    num_attention_heads: width.default(4),
    ffn_dim: width.default(512),
    activation_function: z.enum(["gelu", "relu"]).default("gelu"),
    norm_type: z.enum(["batchnorm", "layernorm"]).default("batchnorm"),
    norm_eps: z.number().positive().lt(1).default(1e-5),
    pre_norm: z.boolean().default(true),
    positional_encoding_type: z.enum(["sincos", "random"]).default("sincos"),
    share_embedding: z.boolean().default(true),
    channel_attention: z.boolean().default(false),
    bias: z.boolean().default(true),
    use_cls_token: z.boolean().default(false),
    pooling_type: z.enum(["mean", "max"]).nullable().default("mean"),
    scaling: z
      .union([z.enum(["mean", "std"]), z.boolean()])
      .nullable()
      .default("std"),
    attention_dropout: ratio,
    positional_dropout: ratio,
    path_dropout: ratio,
    ff_dropout: ratio,
    head_dropout: ratio,
    architectures: z
      .array(z.string())
      .nullable()
      .default(null)
      .refine((given) => given === null || given.every((one) => one === "PatchTSTForPrediction"), {
        error: ({ input }) =>
          `${(input as string[]).join(", ")} does not forecast a window; only PatchTSTForPrediction can be read.`,
      }),
    loss: only("mse", "a distribution is no point forecast"),
    share_projection: only(true, "series share one head"),
    scaling_dim: only(1, "windows are scaled over time"),
    keepdim: only(true, "windows are scaled over time"),
    minimum_scale: z
      .unknown()
      .refine(() => false, "is not supported: leave it to its default")
      .optional(),
  })
  .refine((o) => o.d_model % o.num_attention_heads === 0, {
    message: "must be a multiple of num_attention_heads",
    path: ["d_model"],
  })
  .refine((o) => o.context_length > o.patch_length, {
    message: "must be longer than a patch (patch_length)",
    path: ["context_length"],
  });

const keys = {
  series: "num_input_channels",
  horizon: "prediction_length",
  patchLength: "patch_length",
  layers: "num_hidden_layers",
  width: "d_model",
  feedForward: "ffn_dim",
  norm: "norm_type",
  sharedEmbedding: "share_embedding",
  seriesAttention: "channel_attention",
  feedForwardBias: "bias",
  classToken: "use_cls_token",
  pooling: "pooling_type",
};

/**
 * The model and its options for a configuration of Hugging Face's transformers (`config.json` beside the weights).
 * Throws an EspalierError that begins with `where` and names the key for models and settings that are not supported.
 */
export function fromHuggingFaceConfig(config: unknown, where = "config.json"): HuggingFaceModel {
  const { model_type: type } = readBy(z.object({ model_type: z.string() }), config, where);
  if (type !== "patchtst") {
    throw new EspalierError(
      `${where}, model_type: "${type.slice(0, 60)}" is not one of these. Known: patchtst. Export the model as ONNX instead.`,
    );
  }
  const c = readBy(patchTST, config, where);
  const options: HuggingFacePatchTSTOptions = {
    inputLength: c.context_length,
    horizon: c.prediction_length,
    series: c.num_input_channels,
    width: c.d_model,
    feedForward: c.ffn_dim,
    heads: c.num_attention_heads,
    layers: c.num_hidden_layers,
    activation: c.activation_function,
    patchLength: c.patch_length,
    stride: c.patch_stride,
    scaling: c.scaling === true ? "mean" : c.scaling || "none",
    norm: c.norm_type === "batchnorm" ? "batch" : "layer",
    preNorm: c.pre_norm,
    epsilon: c.norm_eps,
    positions: c.positional_encoding_type === "sincos" ? "sinusoidal" : "learned",
    sharedEmbedding: c.share_embedding,
    seriesAttention: c.channel_attention,
    feedForwardBias: c.bias,
    classToken: c.use_cls_token,
    pooling: c.pooling_type ?? "none",
    dropout: {
      attention: c.attention_dropout,
      positions: c.positional_dropout,
      path: c.path_dropout,
      feedForward: c.ff_dropout,
      head: c.head_dropout,
    },
  };
  return { model: "HuggingFacePatchTST", options, keys };
}
