import type { Form } from "@espalier/core/forms";
import * as forms from "@espalier/core/forms";
import type { Accounting, Dimension, Expression, Json, StoredGraph } from "@espalier/core/inference";

/** The JSON part of a model file as it is written; its meaning is checked when the model is built. */

const { count, either, json, listOf, number, object, oneOf, recordOf, such, text } = forms;

const extent = either("a size", count, object({ batch: count }));
const named = object({ name: text, value: count });

/** Dimensions by number, in products and sums. */
export const expressionForm: Form = either(
  "dimensions",
  count,
  object({ product: listOf((value) => expressionForm(value)) }),
  object({ sum: listOf((value) => expressionForm(value)) }),
);

const graph = object({
  values: listOf(object({ dtype: oneOf("float32", "int32"), shape: listOf(extent) })),
  inputs: listOf(named),
  tensors: listOf(
    object(
      { name: text, role: oneOf("trainable", "buffer", "constant"), value: count },
      { aliases: listOf(text) },
    ),
  ),
  nodes: listOf(
    object({
      name: text,
      operator: text,
      inputs: listOf(count),
      outputs: listOf(count),
      attributes: recordOf(json),
    }),
  ),
  outputs: listOf(named, 1),
  updates: listOf(object({ tensor: text, value: count })),
});

/** The original indices of a dimension: one list, or one for each index of another dimension. */
export const originalForm: Form = either("a list of indices", listOf(count), listOf(listOf(count)));

/** Stored properties of a dimension except its original indices. */
export const dimensionForms = {
  name: text,
  size: extent,
  kind: oneOf("head", "query-key-channel", "value-channel", "embedding", "channel"),
} as const;

const dimension = object(dimensionForms, {
  fixed: text,
  within: count,
  original: originalForm,
  originalSize: count,
});

const amount = such("a number from 0", (value) => number(value) === undefined && Number(value) >= 0);

/** Counts of a model before it was pruned. */
export const accountingForm: Form = object({
  parameters: object({ total: amount, live: amount, dead: amount, nonzero: amount }),
  flops: object({ total: amount, dead: amount, effective: amount }),
  bytes: object({ dense: amount, stored: amount }),
});

/** The description of a model in its file. */
export const storedModelForm: Form = object({
  name: text,
  options: json,
  graph,
  dimensions: object({ list: listOf(dimension), axes: listOf(listOf(expressionForm)) }),
  dense: accountingForm,
  history: listOf(json),
  metadata: recordOf(json),
});

/** A description that has the right form; whether it makes sense is checked when the model is built. */
export interface StoredModel {
  readonly name: string;
  readonly options: Json;
  readonly graph: StoredGraph;
  readonly dimensions: {
    readonly list: readonly Omit<Dimension, "members">[];
    readonly axes: readonly (readonly Expression[])[];
  };
  readonly dense: Accounting;
  readonly history: readonly Json[];
  readonly metadata: { readonly [key: string]: Json };
}
