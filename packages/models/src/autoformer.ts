import { type Builder, defineModel, type ModelFactory } from "@espalier/core/graph";
import { z } from "zod";
import { withoutUnused } from "./checkpoints.ts";
import { aggregatedDelays, autoCorrelation } from "./layers/auto-correlation.ts";
import { drawDecomposition } from "./layers/decomposition-layers.ts";
import { positionTables } from "./layers/embedding.ts";
import type { Attend } from "./layers/encoder.ts";
import { decoderRows } from "./layers/encoder-decoder.ts";
import { decomposing, encoderDecoderChecks } from "./options.ts";

const options = z
  .strictObject({
    ...decomposing,
    /** Number of aggregated delays: ⌊factor · ln length⌋. */
    factor: z.number().positive().default(3),
  })
  .check(...encoderDecoderChecks)
  .refine(
    ({ factor, ...o }) =>
      [o.inputLength, decoderRows(o)].every((rows) => rows > 1 && aggregatedDelays(factor, rows) >= 1),
    { message: "must be larger, or the series longer: no delay would be aggregated", path: ["factor"] },
  );

/** Options of an Autoformer; all have defaults. */
export type AutoformerOptions = z.input<typeof options>;

/**
 * Decomposition and auto-correlation (Wu et al., NeurIPS 2021), following Time-Series-Library. x_enc [batch,
 * inputLength, series], x_mark_enc [batch, inputLength, marks], x_mark_dec [batch, labelLength + horizon, marks] →
 * output [batch, horizon, series].
 *
 * Prunable: the embeddings of encoder and of decoder, feed-forward widths, heads and the channels inside them. Queries
 * and keys of an attention meet only in a mean over heads and channels, so their heads (correlation heads) are
 * dimensions apart from those of its values. Fixed: time, which the transforms run along, series and marks.
 */
export const autoformer: ModelFactory<AutoformerOptions> = defineModel({
  name: "Autoformer",
  options,
  draw(b: Builder, o: z.output<typeof options>) {
    const attend: Attend = (layer, name, queries, memory) => autoCorrelation(layer, name, queries, memory, o);
    const parts = { encoder: attend, self: attend, cross: attend, positions: false };
    return { output: drawDecomposition(b, o, parts) };
  },
  checkpoint: (tensors) =>
    withoutUnused(tensors, { [positionTables.encoder]: 0, [positionTables.decoder]: 0 }),
});
