import { add, type Builder, dropout, type Value } from "@espalier/core/graph";
import { calendarEmbedding, type TimeEmbedding } from "./calendar.ts";
import { circularConvolution, kaimingNormal } from "./convolution.ts";
import { linear } from "./linear.ts";
import { positionTable } from "./positions.ts";

export interface EmbeddingOptions {
  readonly width: number;
  readonly dropout: number;
  readonly timeEmbedding: TimeEmbedding;
  /** Adds sinusoidal positions, which Autoformer does not use. */
  readonly positions?: boolean;
}

/**
 * Time-Series-Library's `DataEmbedding`: a convolution over the series, the time marks (undefined: none) by a linear layer
 * or tables, and sinusoidal positions, summed. x [N, L, series], marks [N, L, marks] → [N, L, width].
 */
export function dataEmbedding(
  b: Builder,
  name: string,
  x: Value,
  marks: Value | undefined,
  options: EmbeddingOptions,
): Value {
  const { width, timeEmbedding, positions = true } = options;
  const [, length, series] = x.shape as [unknown, number, number];
  const layer = b.scope(name);
  let embedded = circularConvolution(layer, "value_embedding.tokenConv", x, width, {
    initializer: kaimingNormal(3 * series),
  });
  if (marks !== undefined) {
    const time =
      timeEmbedding === "linear"
        ? linear(layer, "temporal_embedding.embed", marks, width, { bias: false })
        : calendarEmbedding(layer, "temporal_embedding", marks, width, timeEmbedding);
    embedded = add(layer, embedded, time);
  }
  if (positions) embedded = add(layer, embedded, positionTable(layer, "position_embedding", length, width));
  return dropout(layer, embedded, options.dropout);
}

/** Names of a model's position tables. */
export const positionTables = {
  encoder: "enc_embedding.position_embedding.pe",
  decoder: "dec_embedding.position_embedding.pe",
} as const;
