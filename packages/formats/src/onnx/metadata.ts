import { account, keptCount, type Model, sparsity } from "@espalier/core";

/** Keys of an ONNX file's `metadata_props`; each value is JSON, but for the format and the model's name. */
export const metadataKeys = {
  format: "espalier.format",
  model: "espalier.model",
  options: "espalier.options",
  metadata: "espalier.metadata",
  history: "espalier.history",
  pruned: "espalier.pruned",
} as const;

/** Version of what the keys mean. */
export const metadataFormat = 1;

/** What was pruned, as `espalier.pruned` holds it. */
export interface PrunedMetadata {
  /** 1 − nonzero ÷ dense trainable parameters. */
  readonly sparsity: number;
  readonly parameters: { readonly dense: number; readonly written: number; readonly nonzero: number };
  /** Of one pass at batch 1; `effective` skips zeros. */
  readonly flops: { readonly dense: number; readonly written: number; readonly effective: number };
  /** Dimensions that lost indices, and the indices they had before; one list for each index of an outer dimension. */
  readonly dimensions: readonly {
    readonly name: string;
    readonly size: number;
    readonly originalSize: number;
    readonly kept: readonly number[] | readonly (readonly number[])[];
  }[];
  /** Masked tensors: their elements, and how many of them are kept. The others are stored as zeros. */
  readonly masks: Readonly<Record<string, { readonly elements: number; readonly kept: number }>>;
}

/** What the file says about the model beyond its graph: where it comes from, and what was done to it. */
export function metadataOf(whole: Model, written: Model): ReadonlyMap<string, string> {
  const { name, options, metadata, history } = whole;
  const entries: [string, string][] = [
    [metadataKeys.format, `${metadataFormat}`],
    [metadataKeys.model, name],
    [metadataKeys.options, JSON.stringify(options)],
    [metadataKeys.history, JSON.stringify(history)],
    [metadataKeys.pruned, JSON.stringify(prunedMetadata(whole, written))],
  ];
  if (Object.keys(metadata).length > 0) entries.push([metadataKeys.metadata, JSON.stringify(metadata)]);
  return new Map(entries);
}

function prunedMetadata(whole: Model, written: Model): PrunedMetadata {
  const { parameters, flops } = account(written);
  const { dense, dimensions } = whole;
  return {
    sparsity: sparsity(whole),
    parameters: { dense: dense.parameters.total, written: parameters.total, nonzero: parameters.nonzero },
    flops: { dense: dense.flops.total, written: flops.total, effective: flops.effective },
    dimensions: dimensions.list.flatMap(({ name, size, original, originalSize }) =>
      original === undefined || originalSize === undefined
        ? []
        : [{ name, size: size as number, originalSize, kept: original }],
    ),
    masks: Object.fromEntries(
      [...written.masks].map(([name, mask]) => [
        name,
        { elements: written.tensors.get(name)!.data.length, kept: keptCount(mask) },
      ]),
    ),
  };
}

/** One line for people, shown by viewers of ONNX files. */
export function describe(whole: Model, written: Model): string {
  const { nonzero } = account(written).parameters;
  const { total } = whole.dense.parameters;
  return `${whole.name}: ${nonzero} of ${total} parameters, ${(100 * sparsity(whole)).toFixed(1)} % sparse`;
}
