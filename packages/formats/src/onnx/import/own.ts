import { type Accounting, EspalierError, type Json, keptCount, type Mask, type Model } from "@espalier/core";
import {
  type Dimension,
  type Dimensions,
  dimensionsIn,
  type Expression,
  extentOf,
  inferDimensions,
} from "@espalier/core/dimensions";
import * as forms from "@espalier/core/forms";
import { type Graph, maskFrom, sameExtent, type TensorRole, type ValueId } from "@espalier/core/graph";
import { removeDead } from "@espalier/core/pruning";
import type { ModelProto } from "onnx-buf";
import { accountingForm, dimensionForms, expressionForm, originalForm } from "../../model/stored.ts";
import { metadataFormat, metadataKeys } from "../metadata.ts";

/**
 * Metadata of ONNX files written by Espalier: facts about the model that the nodes do not show. All of it is checked,
 * none of it is run.
 */

const { count, json, listOf, object, recordOf, text } = forms;
const open = { open: true };

const ownForm = object(
  {
    model: text,
    options: json,
    history: listOf(json),
    roles: object({ trainable: listOf(text), buffer: listOf(text), constant: listOf(text) }, undefined, open),
    pruned: object(
      {
        dimensions: listOf(object({ name: text, originalSize: count, kept: originalForm }, undefined, open)),
        masks: recordOf(object({ elements: count, kept: count }, { zeros: listOf(count) }, open)),
      },
      undefined,
      open,
    ),
  },
  {
    metadata: recordOf(json),
    dense: accountingForm,
    dimensions: object(
      {
        list: listOf(object(dimensionForms, { fixed: text })),
        axes: recordOf(listOf(expressionForm)),
      },
      undefined,
      open,
    ),
  },
  open,
);

/** The metadata of an Espalier file. */
export interface OwnMetadata {
  readonly model: string;
  readonly options: Json;
  readonly history: readonly Json[];
  readonly metadata?: { readonly [key: string]: Json };
  readonly dense?: Accounting;
  readonly roles: Readonly<Record<TensorRole, readonly string[]>>;
  readonly pruned: {
    readonly dimensions: readonly {
      readonly name: string;
      readonly originalSize: number;
      readonly kept: NonNullable<Dimension["original"]>;
    }[];
    readonly masks: {
      readonly [tensor: string]: {
        readonly elements: number;
        readonly kept: number;
        readonly zeros?: readonly number[];
      };
    };
  };
  readonly dimensions?: {
    readonly list: readonly Pick<Dimension, "name" | "size" | "kind" | "fixed">[];
    readonly axes: { readonly [value: string]: readonly Expression[] };
  };
}

/** Reads the metadata of a file that Espalier wrote; undefined for any other. Throws an EspalierError if it is damaged. */
export function readOwnMetadata({ metadataProps }: ModelProto): OwnMetadata | undefined {
  const props = new Map(metadataProps.map(({ key, value }) => [key, value]));
  const format = props.get(metadataKeys.format);
  if (format === undefined) return undefined;
  if (!(Number(format) <= metadataFormat)) {
    throw new EspalierError(
      `its metadata has a newer format than this version of Espalier knows (${metadataFormat}). Update Espalier.`,
    );
  }
  const { format: _format, model, ...others } = metadataKeys;
  const own = {
    model: props.get(model),
    ...Object.fromEntries(Object.entries(others).map(([name, key]) => [name, parseJson(props.get(key))])),
  };
  const fault = ownForm(own);
  if (fault === undefined) return own as unknown as OwnMetadata;
  throw new EspalierError(
    `its metadata is damaged at espalier.${fault.at.slice(0, 100)}: ${fault.problem.slice(0, 100)}.`,
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

/** Roles of the model's tensors. */
export function rolesOf({ roles }: OwnMetadata): ReadonlyMap<string, TensorRole> {
  return new Map(
    (["trainable", "buffer", "constant"] as const).flatMap((role) =>
      roles[role].map((name): [string, TensorRole] => [name, role]),
    ),
  );
}

/**
 * Restores a model to its state before it was written: its dimensions with their names and original indices, masks,
 * counts, history. `valueNamed` returns the value for a name of the file.
 */
export function restore(
  model: Model,
  own: OwnMetadata,
  valueNamed: (name: string) => ValueId | undefined,
): Model {
  // Nodes left over by patterns would only obscure dimensions.
  const live = removeDead(model);
  const moved = movedValues(model.graph, live.graph);
  const known =
    own.dimensions &&
    knownAxes(live.graph, own.dimensions, (name) => {
      const value = valueNamed(name);
      return value === undefined ? undefined : moved.get(value);
    });
  const carried = known && renamed(live, inferDimensions(live.graph, known), own.dimensions!, known);
  const dimensions = withOriginals(carried ?? inferDimensions(live.graph), own);
  return {
    ...live,
    name: own.model,
    options: own.options,
    history: own.history,
    metadata: own.metadata ?? {},
    masks: masksOf(live, own),
    dimensions,
    dense: own.dense ?? live.dense,
  };
}

/** Maps values of a graph to a graph that has some of its nodes and tensors. */
function movedValues(from: Graph, to: Graph): ReadonlyMap<ValueId, ValueId> {
  const keyed = ({ inputs, tensors, nodes }: Graph): [string, ValueId][] => [
    ...inputs.map(({ name, value }): [string, ValueId] => [`input ${name}`, value]),
    ...tensors.map(({ name, value }): [string, ValueId] => [`tensor ${name}`, value]),
    ...nodes.flatMap(({ name, outputs }) =>
      outputs.map((value, i): [string, ValueId] => [`node ${name} ${i}`, value]),
    ),
  ];
  const there = new Map(keyed(to));
  return new Map(
    keyed(from).flatMap(([key, value]): [ValueId, ValueId][] => {
      const now = there.get(key);
      return now === undefined ? [] : [[value, now]];
    }),
  );
}

type Known = NonNullable<Parameters<typeof inferDimensions>[1]>;

/** The axes given in the file, by value; undefined if they do not fit the nodes. */
function knownAxes(
  graph: Graph,
  { list, axes }: NonNullable<OwnMetadata["dimensions"]>,
  valueNamed: (name: string) => ValueId | undefined,
): Known | undefined {
  const byValue = new Map<ValueId, readonly Expression[]>();
  for (const [name, expressions] of Object.entries(axes)) {
    const value = valueNamed(name);
    // Of two names for one value, the first belongs to the node that computes it.
    if (value === undefined || byValue.has(value)) continue;
    const { shape } = graph.values[value]!;
    const sound = expressions.flatMap(dimensionsIn).every((d) => list[d] !== undefined);
    const fits =
      sound &&
      expressions.length === shape.length &&
      expressions.every((e, axis) =>
        sameExtent(
          extentOf(e, (d) => list[d]!.size),
          shape[axis]!,
        ),
      );
    if (!fits) return undefined;
    byValue.set(value, expressions);
  }
  return { sizes: list.map(({ size }) => size), axes: byValue };
}

/** Inferred dimensions with their stored names, kinds and reasons; undefined if two would have the same name. */
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

/** Dimensions with their stored original indices, if the numbers agree. */
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
    return { ...dimension, original: kept, originalSize };
  });
  return { ...dimensions, list };
}

/** Zeros are masked, except those listed as not masked. */
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
