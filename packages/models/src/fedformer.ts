import { type Builder, defineModel, type ModelFactory } from "@espalier/core/graph";
import { z } from "zod";
import { withoutUnused } from "./checkpoints.ts";
import { drawDecomposition } from "./layers/decomposition-layers.ts";
import { positionTables } from "./layers/embedding.ts";
import type { Attend } from "./layers/encoder.ts";
import { decoderRows } from "./layers/encoder-decoder.ts";
import {
  aliasWeights,
  type FourierWeights,
  fourierBlock,
  fourierCrossAttention,
  fourierWeights,
} from "./layers/fourier.ts";
import { NumpyRandom } from "./numpy-random.ts";
import { decomposing, encoderDecoderChecks } from "./options.ts";

const modeList = z.array(z.int().min(0)).nonempty();
const options = z
  .strictObject({
    ...decomposing,
    /** Number of frequencies to keep, at most half of the rows. */
    modes: z.int().min(1).default(32),
    /** `low`: the lowest. `random`: drawn from `seed`. */
    select: z.enum(["random", "low"]).default("random"),
    /** Seed of the frequencies, drawn like NumPy's, so that 2021 gives those of the library's scripts. */
    seed: z.int().min(0).max(0xffffffff).default(2021),
    /** The frequencies themselves, for a checkpoint that was built with others: in increasing order. */
    frequencies: z
      .strictObject({ encoder: modeList, decoder: modeList, queries: modeList, keys: modeList })
      .optional(),
  })
  .check(...encoderDecoderChecks);

/** Options of a FEDformer; all have defaults. */
export type FEDformerOptions = z.input<typeof options>;
type Options = z.output<typeof options>;

/**
 * Decomposition, and attention between frequencies (Zhou et al., ICML 2022), following Time-Series-Library: the Fourier
 * version, with Fourier blocks for self-attention, which all layers of the encoder (and of the decoder) share. x_enc
 * [batch, inputLength, series], x_mark_enc [batch, inputLength, marks], x_mark_dec [batch, labelLength + horizon,
 * marks] → output [batch, horizon, series].
 *
 * Prunable: the embeddings of encoder and of decoder, feed-forward widths, and the channels of queries (in the
 * cross-attention: of queries and keys). Fixed: time, series, marks, frequencies; and heads and the channels of
 * results, because the library reads a result [heads, channels, time] as if it were [time, heads · channels], which
 * mixes them into time. What is projected as keys or values and not used counts as dead.
 */
export const fedformer: ModelFactory<FEDformerOptions> = defineModel({
  name: "FEDformer",
  options,
  draw(b: Builder, o: Options) {
    const frequencies = o.frequencies ?? drawFrequencies(o);
    const encoder = shared("attention", o, frequencies.encoder.length);
    const decoder = shared("self_attention", o, frequencies.decoder.length);
    const crossing = shared("cross_attention", o, frequencies.queries.length);
    const block =
      (weights: (layer: Builder) => FourierWeights, chosen: readonly number[]): Attend =>
      (layer, name, x) =>
        fourierBlock(layer, name, x, o, weights(layer), chosen);
    const cross: Attend = (layer, name, queries, memory) =>
      fourierCrossAttention(layer, name, queries, memory, o, crossing(layer), frequencies);
    const parts = {
      encoder: block(encoder, frequencies.encoder),
      self: block(decoder, frequencies.decoder),
      cross,
      positions: true,
    };
    return { output: drawDecomposition(b, o, parts) };
  },
  checkpoint: (tensors, o) =>
    withoutUnused(tensors, {
      [positionTables.encoder]: o.inputLength,
      [positionTables.decoder]: decoderRows(o),
    }),
});

/** Weights that the first layer draws, with the names under which all others of its kind have them. */
function shared(attention: string, o: Options, modes: number): (layer: Builder) => FourierWeights {
  let weights: FourierWeights | undefined;
  const name = `${attention}.inner_correlation`;
  return (layer) => {
    if (weights === undefined) weights = fourierWeights(layer, name, o, modes);
    else aliasWeights(layer, name, weights);
    return weights;
  };
}

/** The frequencies of every part, drawn in the library's order. */
function drawFrequencies({ inputLength, horizon, modes, select, seed }: Options) {
  const random = new NumpyRandom(seed);
  const draw = (length: number) => {
    const all = Array.from({ length: Math.floor(length / 2) }, (_, frequency) => frequency);
    if (select === "random") random.shuffle(all);
    return all.slice(0, modes).sort((a, b) => a - b);
  };
  const decoded = Math.floor(inputLength / 2) + horizon;
  const [encoder, decoder] = [draw(inputLength), draw(decoded)];
  return { encoder, decoder, queries: draw(decoded), keys: draw(inputLength) };
}
