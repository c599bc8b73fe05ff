import { EspalierError, type Tensors } from "@espalier/core";
import { findModel } from "./registry.ts";

/** Options of a model inferred from a checkpoint. */
export interface InferredOptions {
  /** Options seen in the names and shapes of its tensors. */
  readonly seen: Readonly<Record<string, number | boolean | string | readonly number[]>>;
  /** Names of the options that no shape shows and that have no suitable default: the caller has to give them. */
  readonly needed: readonly string[];
}

/**
 * Infers a model's sizes from a state dict of Time-Series-Library (its names, PyTorch's layouts). Options that only
 * change how numbers are computed (activation, moving average, factor of a sparse attention) leave no trace, and are
 * neither seen nor needed. Throws an EspalierError if tensors are missing that every checkpoint of the model has.
 */
export function inferOptions(model: string, tensors: Tensors): InferredOptions {
  const { name } = findModel(model).definition;
  return inferences[name]!(new Shapes(name, tensors));
}

const inferences: Readonly<Record<string, (shapes: Shapes) => InferredOptions>> = {
  PatchTST: patchTST,
  HuggingFacePatchTST: huggingFacePatchTST,
  iTransformer,
  Crossformer: crossformer,
  SedimarkCrossformer: sedimarkCrossformer,
  TimeXer: timeXer,
  Transformer: encoderDecoder,
  NonstationaryTransformer: nonstationary,
  Informer: informer,
  Autoformer: encoderDecoder,
  FEDformer: fedformer,
  DLinear: dLinear,
};

/** Series are independent, and patches are compatible with more than one length. */
function patchTST(shapes: Shapes): InferredOptions {
  const [width, patchLength] = shapes.of("patch_embedding.value_embedding.weight", 2);
  const [horizon] = shapes.of("head.linear.weight", 2);
  return {
    seen: { horizon, width, ...encoder(shapes), patchLength },
    needed: ["inputLength", "series", "heads"],
  };
}

/** Without embeddings of their own, series are independent. */
function huggingFacePatchTST(shapes: Shapes): InferredOptions {
  const [encoder, own] = ["model.encoder", "model.encoder.embedder.input_embedding"];
  const series = shapes.count(own);
  const [width, patchLength] = shapes.of(`${own}${series > 0 ? ".0" : ""}.weight`, 2);
  const layer = `${encoder}.layers.0`;
  const [feedForward] = shapes.of(`${layer}.ff.0.weight`, 2);
  const [horizon, vector] = shapes.of("head.projection.weight", 2);
  const classToken = shapes.find(`${encoder}.positional_encoder.cls_token`) !== undefined;
  const batchNorms = shapes.find(`${layer}.norm_sublayer1.batchnorm.weight`) !== undefined;
  const norm = `${layer}.norm_sublayer2${batchNorms ? ".batchnorm" : ""}.weight`;
  const pooled = vector === width;
  return {
    seen: {
      ...(series > 0 ? { series } : {}),
      sharedEmbedding: series === 0,
      horizon,
      width,
      feedForward,
      layers: shapes.count(`${encoder}.layers`),
      patchLength,
      norm: batchNorms ? "batch" : "layer",
      seriesAttention: shapes.find(norm) !== undefined,
      feedForwardBias: shapes.find(`${layer}.ff.0.bias`) !== undefined,
      classToken,
      ...(pooled ? {} : { pooling: "none" }),
    },
    needed: [
      "inputLength",
      ...(series > 0 ? [] : ["series"]),
      "heads",
      "stride",
      ...(pooled && !classToken ? ["pooling"] : []),
    ],
  };
}

/** Series and time marks are tokens, of any number. */
function iTransformer(shapes: Shapes): InferredOptions {
  const [width, inputLength] = shapes.of("enc_embedding.value_embedding.weight", 2);
  const [horizon] = shapes.of("projection.weight", 2);
  return {
    seen: { inputLength, horizon, width, ...encoder(shapes) },
    needed: ["series", "marks", "heads"],
  };
}

/** Lengths are rounded up to whole segments. */
function crossformer(shapes: Shapes): InferredOptions {
  const [, series] = shapes.of("enc_pos_embedding", 4);
  const [width, segmentLength] = shapes.of("enc_value_embedding.value_embedding.weight", 2);
  const [feedForward] = shapes.of("encoder.encode_blocks.0.encode_layers.0.MLP1.0.weight", 2);
  const [, factor] = shapes.of("encoder.encode_blocks.0.encode_layers.0.router", 3);
  const layers = shapes.count("encoder.encode_blocks");
  const merged =
    layers > 1 ? shapes.of("encoder.encode_blocks.1.merge_layer.linear_trans.weight", 2)[1] : undefined;
  return {
    seen: {
      series,
      width,
      feedForward,
      layers,
      factor,
      segmentLength,
      ...(merged === undefined ? {} : { window: merged / width }),
    },
    needed: ["inputLength", "horizon", "heads"],
  };
}

/** Not a model of Time-Series-Library; its sizes have to be given. */
function sedimarkCrossformer(): InferredOptions {
  const sizes = ["inputLength", "horizon", "series", "width", "feedForward", "heads", "blocks"];
  return { seen: {}, needed: [...sizes, "segmentLength", "window", "factor", "variant"] };
}

/** For Transformer, Informer, Autoformer and FEDformer: time is not an axis of any weight. */
function encoderDecoder(shapes: Shapes): InferredOptions {
  const [width, series] = shapes.of("enc_embedding.value_embedding.tokenConv.weight", 3);
  const decoderLayers = shapes.count("decoder.layers");
  return {
    seen: { series, ...marks(shapes), width, ...encoder(shapes), decoderLayers },
    needed: ["inputLength", "horizon", "labelLength", "heads"],
  };
}

/** A linear layer has an axis of marks; of tables, minutes have one of their own. */
function marks(shapes: Shapes): { readonly marks: number; readonly timeEmbedding?: string } {
  const own = "enc_embedding.temporal_embedding";
  const features = shapes.find(`${own}.embed.weight`)?.[1];
  if (features !== undefined) return { marks: features, timeEmbedding: "linear" };
  for (const [timeEmbedding, name] of [
    ["learned", "weight"],
    ["fixed", "emb.weight"],
  ] as const) {
    if (shapes.find(`${own}.hour_embed.${name}`) === undefined) continue;
    return { marks: shapes.find(`${own}.minute_embed.${name}`) === undefined ? 4 : 5, timeEmbedding };
  }
  return { marks: 0 };
}

/** The shapes of its two networks contain time and series. */
function nonstationary(shapes: Shapes): InferredOptions {
  const { seen, needed } = encoderDecoder(shapes);
  const [, inputLength] = shapes.of("tau_learner.series_conv.weight", 3);
  const layers = shapes.count("tau_learner.backbone") - 1;
  const projectorWidths = Array.from(
    { length: layers },
    (_, i) => shapes.of(`tau_learner.backbone.${2 * i}.weight`, 2)[0],
  );
  return {
    seen: { ...seen, inputLength, projectorWidths },
    needed: needed.filter((name) => name !== "inputLength"),
  };
}

/** Series and time marks are tokens, of any number. */
function timeXer(shapes: Shapes): InferredOptions {
  const [, series, , width] = shapes.of("en_embedding.glb_token", 4);
  const [, patchLength] = shapes.of("en_embedding.value_embedding.weight", 2);
  const [, inputLength] = shapes.of("ex_embedding.value_embedding.weight", 2);
  const [horizon] = shapes.of("head.linear.weight", 2);
  const [feedForward] = shapes.of("encoder.layers.0.conv1.weight", 3);
  const layers = shapes.count("encoder.layers");
  return {
    seen: { inputLength, horizon, series, width, feedForward, layers, patchLength },
    needed: ["marks", "heads"],
  };
}

/** A single layer has no distillation. */
function informer(shapes: Shapes): InferredOptions {
  const { seen, needed } = encoderDecoder(shapes);
  return { seen: { ...seen, distil: shapes.count("encoder.conv_layers") > 0 }, needed };
}

/** Heads and kept frequencies are axes of its weights: the largest count of any part is the requested one. */
function fedformer(shapes: Shapes): InferredOptions {
  const { seen, needed } = encoderDecoder(shapes);
  const kept = ["encoder.attn_layers.0.attention", "decoder.layers.0.self_attention"].map((part) =>
    shapes.of(`${part}.inner_correlation.weights1`, 4),
  );
  const heads = kept[0]![0];
  const modes = Math.max(...kept.map(([, , , frequencies]) => frequencies));
  return { seen: { ...seen, heads, modes }, needed: needed.filter((name) => name !== "heads") };
}

/** Series share its two layers, unless each has its own. */
function dLinear(shapes: Shapes): InferredOptions {
  const individual = shapes.count("Linear_Seasonal");
  const own = individual > 0;
  const [horizon, inputLength] = shapes.of(`Linear_Seasonal${own ? ".0" : ""}.weight`, 2);
  const seen = { inputLength, horizon, individual: own };
  return own ? { seen: { ...seen, series: individual }, needed: [] } : { seen, needed: ["series"] };
}

/** Options of Time-Series-Library's encoder layers. */
function encoder(shapes: Shapes): { feedForward: number; layers: number } {
  const [feedForward] = shapes.of("encoder.attn_layers.0.conv1.weight", 3);
  return { feedForward, layers: shapes.count("encoder.attn_layers") };
}

/** The shapes of a checkpoint's tensors. */
class Shapes {
  readonly #model: string;
  readonly #tensors: Tensors;

  constructor(model: string, tensors: Tensors) {
    this.#model = model;
    this.#tensors = tensors;
  }

  /** The shape of a tensor that must exist. */
  of(name: string, rank: 2): readonly [number, number];
  of(name: string, rank: 3): readonly [number, number, number];
  of(name: string, rank: 4): readonly [number, number, number, number];
  of(name: string, rank: number): readonly number[] {
    const shape = this.find(name);
    if (shape?.length === rank) return shape;
    const found = shape === undefined ? "is not there" : `has the shape [${shape.join(", ")}]`;
    throw new EspalierError(
      `this is not a checkpoint of ${this.#model}: "${name}", a tensor with ${rank} axes, ${found}.`,
    );
  }

  find(name: string): readonly number[] | undefined {
    return this.#tensors.get(name)?.shape;
  }

  /** Number of modules in a list, `<list>.0.…`, `<list>.1.…`. */
  count(list: string): number {
    const indices = [...this.#tensors.keys()].flatMap((name) => {
      const index = name.startsWith(`${list}.`) ? /^\d+(?=\.)/.exec(name.slice(list.length + 1)) : null;
      return index === null ? [] : [index[0]];
    });
    return new Set(indices).size;
  }
}
