import {
  add,
  expand,
  matMul,
  mul,
  reshape,
  type Shape,
  scale,
  softmax,
  swapAxes,
  transpose,
  type Value,
  where,
} from "@espalier/core/graph";
import { type Call, isPlain, lift, operandItem, type Rule, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { isTruth } from "../items.ts";
import { build, plainNumbers } from "../known.ts";

/** Attention as one node, of opset 23 and later: softmax(Q·Kᵀ ÷ √channels + mask) · V, drawn with core's operators. */

const queries = 0;
const keys = 1;
const values = 2;
const mask = 3;

const unsupported: readonly (readonly [input: number, what: string])[] = [
  [4, "keys of earlier calls (past_key)"],
  [5, "values of earlier calls (past_value)"],
  [6, "numbers of keys that are not padding (nonpad_kv_seqlen)"],
];

/** [batch, heads, tokens, channels]; heads that lie side by side, [batch, tokens, heads · channels], are taken apart. */
function byHead(call: Call, i: number, heads: number): Value {
  const x = valueInput(call, i);
  if (x.shape.length === 4) return x;
  const [batch, tokens, width] = x.shape as [Shape[number], Shape[number], number];
  if (!(heads > 0) || width % heads !== 0)
    throw new UnreadableError(`${width} channels cannot be divided into ${heads} equal heads`);
  const apart = reshape(call.b, x, [batch, tokens, heads, width / heads]);
  return transpose(call.b, apart, [0, 2, 1, 3]);
}

/** Repeats keys or values for the query heads of their group (Ainslie et al., 2023). */
function forQueries({ b }: Call, x: Value, heads: Shape[number]): Value {
  const [batch, groups, tokens, channels] = x.shape as [Shape[number], number, Shape[number], number];
  if (groups === heads) return x;
  const each = (heads as number) / groups;
  if (!Number.isInteger(each))
    throw new UnreadableError(`${heads} heads of queries do not divide into ${groups} of keys`);
  const apart = reshape(b, x, [batch, groups, 1, tokens, channels]);
  const repeated = expand(b, apart, [batch, groups, each, tokens, channels]);
  return reshape(b, repeated, [batch, heads, tokens, channels]);
}

/** Zeros where a token is seen, −∞ where it is hidden. */
function hiding(call: Call, shape: readonly number[], isSeen: (i: number) => boolean): Value {
  const width = shape.at(-1)!;
  const bias = build("float", shape, (i) => [isSeen(i) ? 0 : Number.NEGATIVE_INFINITY, 0]);
  for (let row = 0; row < bias.data.length; row += width)
    if (bias.data.subarray(row, row + width).every((number) => number !== 0))
      throw new UnreadableError("a row of its mask hides every key");
  return lift(call, bias, { as: "operand", name: [call.module, "mask"].filter(Boolean).join(".") });
}

/** How many keys before and behind a query's own position are seen. */
function reach({ attributes }: Call): readonly [before: number, behind: number] {
  const [left, right] = ["left_window_size", "right_window_size"].map((name) => {
    const size = attributes.int(name, -1);
    return size < 0 ? Number.POSITIVE_INFINITY : size;
  }) as [number, number];
  return [left, attributes.int("is_causal", 0) === 0 ? right : 0];
}

/** Hides keys that are too far before or behind the query. */
function within(call: Call, scores: Value): Value {
  const [before, behind] = reach(call);
  if (before === Number.POSITIVE_INFINITY && behind === Number.POSITIVE_INFINITY) return scores;
  const [rows, columns] = scores.shape.slice(-2);
  if (typeof rows !== "number" || typeof columns !== "number")
    throw new UnreadableError("a window over the batch axis would mix the samples of a batch");
  const distance = (i: number) => (i % columns) - Math.floor(i / columns);
  const bias = hiding(call, [rows, columns], (i) => distance(i) >= -before && distance(i) <= behind);
  return add(call.b, scores, bias);
}

/** The shares of the keys. What depends on the input may hide all keys of a query, which then sees nothing. */
function shares(call: Call, scores: Value): Value {
  const { b, context } = call;
  if (call.inputs[mask] === undefined) return softmax(b, scores, -1);
  const item = operandItem(call, mask);
  if (isTruth(item)) {
    const seen = where(b, item.truth, scores, context.weights.number(-3e38));
    return mul(b, softmax(b, seen, -1), item.truth);
  }
  if (isPlain(call, item) && item.kind === "bool") {
    const numbers = plainNumbers(item);
    return softmax(
      b,
      add(
        b,
        scores,
        hiding(call, item.shape, (i) => numbers[i] !== 0),
      ),
      -1,
    );
  }
  return softmax(b, add(b, scores, lift(call, item)), -1);
}

const attention: Rule = (call) => {
  const { b, attributes, inputs, wants } = call;
  for (const [i, what] of unsupported)
    if (inputs[i] !== undefined) throw new UnreadableError(`${what} are not supported`);
  if (wants.slice(1).some(Boolean))
    throw new UnreadableError("outputs other than its first are not supported");
  if (attributes.float("softcap", 0) !== 0) throw new UnreadableError("softcap is not supported");
  const joined = valueInput(call, queries).shape.length === 3;
  const q = byHead(call, queries, attributes.int("q_num_heads", 0));
  const [k, v] = [keys, values].map((i) =>
    forQueries(call, byHead(call, i, attributes.int("kv_num_heads", 0)), q.shape[1]!),
  ) as [Value, Value];
  const by = attributes.float("scale", 1 / Math.sqrt(q.shape[3] as number));
  const scores = scale(b, matMul(b, q, swapAxes(b, k, -1, -2)), by);
  const y = matMul(b, shares(call, within(call, scores)), v);
  if (!joined) return y;
  const [batch, heads, tokens, channels] = y.shape as [Shape[number], number, Shape[number], number];
  return reshape(b, transpose(b, y, [0, 2, 1, 3]), [batch, tokens, heads * channels]);
};

export const attentions: Readonly<Record<string, Rule>> = { Attention: attention };
