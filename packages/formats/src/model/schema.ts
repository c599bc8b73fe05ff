import { z } from "zod";

/** The JSON part of a model file, as it is written; its meaning is checked when the model is put together. */

const extent = z.union([z.int().nonnegative(), z.strictObject({ batch: z.int().nonnegative() })]);
const valueId = z.int().nonnegative();
const named = z.strictObject({ name: z.string(), value: valueId });
const json: z.ZodType = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)]),
);

type Tree = number | { product: Tree[] } | { sum: Tree[] };
const expression: z.ZodType<Tree> = z.lazy(() =>
  z.union([
    z.int().nonnegative(),
    z.strictObject({ product: z.array(expression) }),
    z.strictObject({ sum: z.array(expression) }),
  ]),
);

const graph = z.strictObject({
  values: z.array(z.strictObject({ dtype: z.enum(["float32", "int32"]), shape: z.array(extent) })),
  inputs: z.array(named),
  tensors: z.array(
    z.strictObject({
      name: z.string(),
      role: z.enum(["trainable", "buffer", "constant"]),
      value: valueId,
      aliases: z.array(z.string()).optional(),
    }),
  ),
  nodes: z.array(
    z.strictObject({
      name: z.string(),
      operator: z.string(),
      inputs: z.array(valueId),
      outputs: z.array(valueId),
      attributes: z.record(z.string(), json),
    }),
  ),
  outputs: z.array(named).nonempty(),
  updates: z.array(z.strictObject({ tensor: z.string(), value: valueId })),
});

const indices = z.array(z.int().nonnegative());
export const storedExpression: z.ZodType<Tree> = expression;

const dimension = z.strictObject({
  name: z.string(),
  size: extent,
  kind: z.enum(["head", "query-key-channel", "value-channel", "embedding", "channel"]),
  fixed: z.string().optional(),
  within: z.int().nonnegative().optional(),
  original: z.union([indices, z.array(indices)]).optional(),
  originalSize: z.int().nonnegative().optional(),
});

const count = z.number().nonnegative();
const accounting = z.strictObject({
  parameters: z.strictObject({ total: count, live: count, dead: count, nonzero: count }),
  flops: z.strictObject({ total: count, dead: count, effective: count }),
  bytes: z.strictObject({ dense: count, stored: count }),
});

/** The description of a model in its file. */
export const storedModelSchema = z.strictObject({
  name: z.string(),
  options: json,
  graph,
  dimensions: z.strictObject({ list: z.array(dimension), axes: z.array(z.array(expression)) }),
  dense: accounting,
  history: z.array(json),
  metadata: z.record(z.string(), json),
});

/** A description that has the right form; whether it makes sense is checked when the model is put together. */
export type StoredModel = z.output<typeof storedModelSchema>;
