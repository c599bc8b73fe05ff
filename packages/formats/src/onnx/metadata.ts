import { account, isKept, keptCount, type Mask, type Model, sparsity, type TensorData } from "@espalier/core";
import { type Dimension, type Dimensions, type Expression, inferDimensions } from "@espalier/core/dimensions";
import type { TensorRole, ValueId } from "@espalier/core/graph";

/** Keys of an ONNX file's `metadata_props`; each value is JSON, except the format and the model's name. */
export const metadataKeys = {
  format: "espalier.format",
  model: "espalier.model",
  options: "espalier.options",
  metadata: "espalier.metadata",
  history: "espalier.history",
  pruned: "espalier.pruned",
  roles: "espalier.roles",
  dense: "espalier.dense",
  dimensions: "espalier.dimensions",
} as const;

/** Version of the meaning of the keys. */
export const metadataFormat = 1;

/** Record of pruning, stored under `espalier.pruned`. */
export interface PrunedMetadata {
  /** 1 − nonzero ÷ dense trainable parameters. */
  readonly sparsity: number;
  readonly parameters: { readonly dense: number; readonly written: number; readonly nonzero: number };
  /** FLOPs of one pass at batch 1; `effective` skips zeros. */
  readonly flops: { readonly dense: number; readonly written: number; readonly effective: number };
  /** Dimensions that lost indices, with the original indices of the rest; one list for each index of an outer dimension. */
  readonly dimensions: readonly {
    readonly name: string;
    readonly size: number;
    readonly originalSize: number;
    readonly kept: readonly number[] | readonly (readonly number[])[];
  }[];
  /** Masked tensors: the number of their elements, and of those that are kept. The others are stored as zeros. */
  readonly masks: Readonly<Record<string, MaskMetadata>>;
}

export interface MaskMetadata {
  readonly elements: number;
  readonly kept: number;
  /** Positions of kept elements that are zero; absent if there are none. */
  readonly zeros?: readonly number[];
}

/** Names of the model's tensors, stored under `espalier.roles`; other initialisers belong to the format. */
export type RolesMetadata = Readonly<Record<TensorRole, readonly string[]>>;

/** Composition of axes, stored under `espalier.dimensions` if the nodes alone do not show it: after pruning. */
export interface DimensionsMetadata {
  readonly list: readonly Pick<Dimension, "name" | "size" | "kind" | "fixed">[];
  /** By ONNX name of a value, by axis; numbers index `list`. */
  readonly axes: Readonly<Record<string, readonly Expression[]>>;
}

/** The model as it is written: its stored numbers, and the names of its values in the file. */
export interface Written {
  readonly model: Model;
  /** ONNX names of tensors. */
  readonly names: ReadonlyMap<string, string>;
  /** Undefined for values that the file does not have. */
  nameOf(value: ValueId): string | undefined;
}

/** The file's information about the model in addition to its graph: origin and history. */
export function metadataOf(whole: Model, written: Written): ReadonlyMap<string, string> {
  const { name, options, metadata, history, dense } = whole;
  const entries: [string, string][] = [
    [metadataKeys.format, `${metadataFormat}`],
    [metadataKeys.model, name],
    [metadataKeys.options, JSON.stringify(options)],
    [metadataKeys.history, JSON.stringify(history)],
    [metadataKeys.pruned, JSON.stringify(prunedMetadata(whole, written))],
    [metadataKeys.roles, JSON.stringify(rolesMetadata(written))],
    [metadataKeys.dense, JSON.stringify(dense)],
  ];
  const dimensions = dimensionsMetadata(written);
  if (dimensions !== undefined) entries.push([metadataKeys.dimensions, JSON.stringify(dimensions)]);
  if (Object.keys(metadata).length > 0) entries.push([metadataKeys.metadata, JSON.stringify(metadata)]);
  return new Map(entries);
}

function prunedMetadata(whole: Model, { model, names }: Written): PrunedMetadata {
  const { parameters, flops } = account(model);
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
      [...model.masks].map(([name, mask]) => [
        names.get(name)!,
        maskMetadata(mask, model.tensors.get(name)!),
      ]),
    ),
  };
}

function maskMetadata(mask: Mask, { data }: TensorData): MaskMetadata {
  const zeros: number[] = [];
  data.forEach((value, i) => {
    if (value === 0 && isKept(mask, i)) zeros.push(i);
  });
  return { elements: data.length, kept: keptCount(mask), ...(zeros.length > 0 && { zeros }) };
}

function rolesMetadata({ model: { graph }, names }: Written): RolesMetadata {
  const of = (role: TensorRole) =>
    graph.tensors.flatMap((tensor) => (tensor.role === role ? [names.get(tensor.name)!] : []));
  return { trainable: of("trainable"), buffer: of("buffer"), constant: of("constant") };
}

/** Undefined if a reader infers the same dimensions from the graph. */
function dimensionsMetadata({
  model: { graph, dimensions },
  nameOf,
}: Written): DimensionsMetadata | undefined {
  const described = ({ list, axes }: Dimensions) => JSON.stringify([list.map(stored), axes]);
  if (described(inferDimensions(graph)) === described(dimensions)) return undefined;
  const axes = graph.values.flatMap((_, value): [string, readonly Expression[]][] => {
    const name = nameOf(value);
    return name === undefined ? [] : [[name, dimensions.axes[value]!]];
  });
  return { list: dimensions.list.map(stored), axes: Object.fromEntries(axes) };
}

function stored({ name, size, kind, fixed }: Dimension): DimensionsMetadata["list"][number] {
  return { name, size, kind, ...(fixed !== undefined && { fixed }) };
}

/** One line for humans, shown by viewers of ONNX files. */
export function describe(whole: Model, written: Model): string {
  const { nonzero } = account(written).parameters;
  const { total } = whole.dense.parameters;
  return `${whole.name}: ${nonzero} of ${total} parameters, ${(100 * sparsity(whole)).toFixed(1)} % sparse`;
}
