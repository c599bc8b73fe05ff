import {
  type Accounting,
  type Dimension,
  type Dimensions,
  dimensionsIn,
  EspalierError,
  type Expression,
  type Extent,
  extentOf,
  type Graph,
  inferDimensions,
  type Json,
  keptCount,
  type Mask,
  type Model,
  maskFrom,
  removeDead,
  sameExtent,
  type TensorRole,
  type ValueId,
} from "@espalier/core";
import type { ModelProto } from "onnx-buf";
import { z } from "zod";
import { storedExpression, storedModelSchema } from "../../model/schema.ts";
import { metadataFormat, metadataKeys } from "../metadata.ts";

/** What an ONNX file that Espalier wrote says about its model beyond the nodes. All of it is checked, none of it runs. */

const { dense, history, metadata, options, dimensions } = storedModelSchema.shape;
const stored = dimensions.shape.list.element;
const count = z.int().nonnegative();

const schema = z.object({
  model: z.string(),
  options,
  history,
  metadata: metadata.default({}),
  dense: dense.optional(),
  roles: z.object({ buffer: z.array(z.string()), constant: z.array(z.string()) }),
  pruned: z.object({
    dimensions: z.array(
      z.object({ name: z.string(), originalSize: count, kept: stored.shape.original.unwrap() }),
    ),
    masks: z.record(
      z.string(),
      z.object({ elements: count, kept: count, zeros: z.array(count).default([]) }),
    ),
  }),
  dimensions: z
    .object({
      list: z.array(stored.pick({ name: true, size: true, kind: true, fixed: true })),
      axes: z.record(z.string(), z.array(storedExpression)),
    })
    .optional(),
});

/** An Espalier file's own words. */
export type OwnMetadata = z.output<typeof schema>;

/** The metadata of a file that Espalier wrote; undefined for any other. Throws an EspalierError where it is damaged. */
export function readOwnMetadata({ metadataProps }: ModelProto): OwnMetadata | undefined {
  const props = new Map(metadataProps.map(({ key, value }) => [key, value]));
  const format = props.get(metadataKeys.format);
  if (format === undefined) return undefined;
  if (!(Number(format) <= metadataFormat)) {
    throw new EspalierError(
      `its metadata has a newer format than this version of Espalier knows (${metadataFormat}). Update Espalier.`,
    );
  }
  const { format: _format, model, ...json } = metadataKeys;
  const parsed = schema.safeParse({
    model: props.get(model),
    ...Object.fromEntries(Object.entries(json).map(([name, key]) => [name, parseJson(props.get(key))])),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new EspalierError(
    `its metadata is damaged at espalier.${issue!.path.join(".").slice(0, 100)}: ${issue!.message.slice(0, 100)}.`,
  );
}

function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Roles of all tensors of the file; those of its shapes and factors are none. */
export function rolesOf({ roles }: OwnMetadata, tensors: readonly string[]): ReadonlyMap<string, TensorRole> {
  const told = new Map<string, TensorRole>();
  for (const name of tensors) if (!/^(scalar|integers)\//.test(name)) told.set(name, "trainable");
  for (const name of roles.buffer) told.set(name, "buffer");
  for (const name of roles.constant) told.set(name, "constant");
  return told;
}

/**
 * A model as it was before it was written: its dimensions with their names and original indices, masks, counts, history.
 * `valueNamed` gives the value that a name of the file stands for.
 */
export function restore(
  model: Model,
  own: OwnMetadata,
  valueNamed: (name: string) => ValueId | undefined,
): Model {
  const known = own.dimensions && knownAxes(model.graph, own.dimensions, valueNamed);
  const carried = known && renamed(model, inferDimensions(model.graph, known), own.dimensions!, known);
  const live = removeDead({ ...model, dimensions: carried ?? model.dimensions });
  const dimensions = withOriginals(carried ? live.dimensions : inferDimensions(live.graph), own);
  return {
    ...live,
    name: own.model,
    options: own.options as Json,
    history: own.history as Json[],
    metadata: own.metadata as Record<string, Json>,
    masks: masksOf(live, own),
    dimensions,
    dense: (own.dense ?? live.dense) as Accounting,
  };
}

type Known = NonNullable<Parameters<typeof inferDimensions>[1]>;

/** The axes the file tells of, by value; undefined where they do not fit the nodes. */
function knownAxes(
  graph: Graph,
  { list, axes }: NonNullable<OwnMetadata["dimensions"]>,
  valueNamed: (name: string) => ValueId | undefined,
): Known | undefined {
  const byValue = new Map<ValueId, readonly Expression[]>();
  for (const [name, expressions] of Object.entries(axes) as [string, Expression[]][]) {
    const value = valueNamed(name);
    if (value === undefined) continue;
    const { shape } = graph.values[value]!;
    const sound = expressions.flatMap(dimensionsIn).every((d) => list[d] !== undefined);
    const fits =
      sound &&
      expressions.length === shape.length &&
      expressions.every((e, axis) =>
        sameExtent(
          extentOf(e, (d) => list[d]!.size as Extent),
          shape[axis]!,
        ),
      );
    if (!fits) return undefined;
    byValue.set(value, expressions);
  }
  return { sizes: list.map(({ size }) => size as Extent), axes: byValue };
}

/** Inferred dimensions with the names, kinds and reasons they had; undefined where two would have one name. */
function renamed(
  { graph }: Model,
  inferred: Dimensions,
  { list }: NonNullable<OwnMetadata["dimensions"]>,
  { axes }: Known,
): Dimensions | undefined {
  const values = new Map(graph.tensors.map(({ name, value }) => [name, value]));
  const told = inferred.list.map(({ members: [first] }) => {
    const expressions = first && axes.get(values.get(first.tensor)!);
    const number = expressions && dimensionsIn(expressions[first.axis]!)[first.place];
    return number === undefined ? undefined : list[number];
  });
  const dimensions = inferred.list.map((dimension, i): Dimension => {
    const before = told[i];
    if (before === undefined) return dimension;
    const fixed = dimension.fixed ?? before.fixed;
    return { ...dimension, name: before.name, kind: before.kind, ...(fixed !== undefined && { fixed }) };
  });
  if (new Set(dimensions.map(({ name }) => name)).size !== dimensions.length) return undefined;
  return { ...inferred, list: dimensions };
}

/** Dimensions with the indices that were left of them, where the numbers agree. */
function withOriginals(dimensions: Dimensions, { pruned }: OwnMetadata): Dimensions {
  const byName = new Map(pruned.dimensions.map((one) => [one.name, one]));
  const list = dimensions.list.map((dimension): Dimension => {
    const one = byName.get(dimension.name);
    if (one === undefined) return dimension;
    const { kept, originalSize } = one;
    const nested = typeof kept[0] === "object";
    const rows = (nested ? kept : [kept]) as readonly (readonly number[])[];
    const outer = nested
      ? dimension.within === undefined
        ? -1
        : dimensions.list[dimension.within]!.size
      : 1;
    const fits =
      rows.length === outer &&
      rows.every((row) => row.length === dimension.size && row.every((i) => i < originalSize));
    if (!fits)
      throw new EspalierError(
        `its metadata does not fit its weights: dimension "${dimension.name.slice(0, 80)}" has another size.`,
      );
    return { ...dimension, original: kept as NonNullable<Dimension["original"]>, originalSize };
  });
  return { ...dimensions, list };
}

/** What was masked is zero; what is zero and was not is listed. */
function masksOf(model: Model, { pruned }: OwnMetadata): ReadonlyMap<string, Mask> {
  const masks = new Map<string, Mask>();
  for (const { name, role } of model.graph.tensors) {
    const told = Object.hasOwn(pruned.masks, name) ? pruned.masks[name] : undefined;
    const { data, shape } = model.tensors.get(name)!;
    if (told === undefined || role !== "trainable" || told.elements !== data.length) continue;
    const zeros = new Set(told.zeros);
    const mask = maskFrom(shape, (i) => data[i] !== 0 || zeros.has(i));
    if (keptCount(mask) < data.length) masks.set(name, mask);
  }
  return masks;
}
