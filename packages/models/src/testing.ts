/** Small models for tests of whatever has to work with all of them. */
import { jsonSchemaOf } from "@espalier/core/documents";
import type { Architecture } from "@espalier/core/graph";
import { models } from "./registry.ts";

/** Sizes that differ from each other, so that none is taken for another: 3 heads of 4 channels. */
const sizes = {
  inputLength: 13,
  horizon: 5,
  series: 2,
  labelLength: 4,
  marks: 2,
  width: 12,
  heads: 3,
  feedForward: 10,
  layers: 2,
  decoderLayers: 1,
  blocks: 1,
  patchLength: 6,
  stride: 4,
  segmentLength: 3,
  factor: 2,
  movingAverage: 3,
  modes: 3,
  projectorWidths: [5],
};

/** Options of models, all of them optional; a model is drawn with those that it has. */
export type SmallOptions = { readonly [Option in keyof typeof sizes]?: (typeof sizes)[Option] };

interface OptionsSchema {
  readonly properties: { readonly [option: string]: { readonly enum?: readonly string[] } };
}

/**
 * Every model of this package, small, by name. One that has variants appears once for each: `SedimarkCrossformer,
 * connected`.
 */
export function smallModels(options: SmallOptions = {}): ReadonlyMap<string, Architecture> {
  const given = { ...sizes, ...options };
  return new Map(
    [...models].flatMap(([name, draw]) => {
      const { properties } = jsonSchemaOf(draw.definition.options) as OptionsSchema;
      const known = Object.fromEntries(Object.entries(given).filter(([option]) => option in properties));
      const variants = properties.variant?.enum;
      if (variants === undefined) return [[name, draw(known as never)]];
      return variants.map((variant) => [`${name}, ${variant}`, draw({ ...known, variant } as never)]);
    }) as [string, Architecture][],
  );
}
