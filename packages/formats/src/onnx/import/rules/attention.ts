import {
  add,
  clip,
  expand,
  greater,
  matMul,
  mul,
  reshape,
  type Shape,
  scale,
  softmax,
  swapAxes,
  tanh,
  transpose,
  type Value,
  where,
} from "@espalier/core/graph";
import { foldBinary, foldWhere } from "../arithmetic.ts";
import { type Call, isPlain, lift, operandItem, type Rule, shapeOf, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { type Item, isKnown, isTruth } from "../items.ts";
import { build, type Known, scalar } from "../known.ts";
import { ofOneSample } from "../repeated.ts";

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

const hidden = Number.NEGATIVE_INFINITY;

/** How far before and behind a query's own position keys are seen. */
function reach({ attributes }: Call): readonly [before: number, behind: number] {
  const [left, right] = ["left_window_size", "right_window_size"].map((name) => {
    const size = attributes.int(name, -1);
    return size < 0 ? Number.POSITIVE_INFINITY : size;
  }) as [number, number];
  return [left, attributes.int("is_causal", 0) === 0 ? right : 0];
}

/** Zeros for the keys within reach of a query, −∞ for others; undefined if all are within reach. */
function windowOf(call: Call, scores: Value): Known | undefined {
  const [before, behind] = reach(call);
  if (before === Number.POSITIVE_INFINITY && behind === Number.POSITIVE_INFINITY) return undefined;
  const [rows, columns] = scores.shape.slice(-2);
  if (typeof rows !== "number" || typeof columns !== "number")
    throw new UnreadableError("a window over the batch axis would mix the samples of a batch");
  const distance = (i: number) => (i % columns) - Math.floor(i / columns);
  const isSeen = (i: number) => distance(i) >= -before && distance(i) <= behind;
  return build("float", [rows, columns], (i) => [isSeen(i) ? 0 : hidden, 0]);
}

/** The mask, cut to one sample if the batch was opened. */
function maskOf(call: Call, scores: Value): Item | undefined {
  if (call.inputs[mask] === undefined) return undefined;
  const item = ofOneSample(call, operandItem(call, mask), scores.shape);
  const [keys, width] = [scores.shape.at(-1), shapeOf(item).at(-1)];
  if (keys !== width)
    throw new UnreadableError(`its mask ends in ${width} positions, but there are ${keys} keys`);
  return item;
}

/** A mask that hides something known at import, as numbers to add to the scores. */
function knownMask(call: Call, item: Item | undefined): Known | undefined {
  if (item === undefined || !isKnown(item)) return undefined;
  if (item.kind === "bool") return foldWhere(item, scalar("float", 0), scalar("float", hidden));
  const { kind, shape, data } = item;
  return isPlain(call, item) || data.includes(hidden) ? { kind, shape, data } : undefined;
}

/** Ones for the queries that see a key, zeros for the others: [… queries, 1]. */
function queriesThatSee(bias: Known): Known {
  const width = bias.shape.at(-1)!;
  return build("float", bias.shape.with(-1, 1), (row) => [
    bias.data.subarray(row * width, (row + 1) * width).some((number) => number !== hidden) ? 1 : 0,
    0,
  ]);
}

/** The shares of the keys. A query that sees no key has shares of zero (not NaN, as its softmax would be). */
function shares(call: Call, scores: Value): Value {
  const { b, context } = call;
  const operand = (known: Known, name: string) =>
    lift(call, known, { as: "operand", name: [call.module, name].filter(Boolean).join(".") });
  const item = maskOf(call, scores);
  const known = knownMask(call, item);
  const fixed = [windowOf(call, scores), known].filter((part) => part !== undefined);
  let seen = scores;
  const factors: Value[] = [];
  if (fixed.length > 0) {
    const bias = fixed.reduce((x, y) => foldBinary("Add", x, y));
    const seeing = queriesThatSee(bias);
    const allSee = seeing.data.every((one) => one === 1);
    const finite = allSee ? bias : foldWhere(seeing, bias, scalar("float", 0));
    seen = add(b, seen, operand(finite, "mask"));
    if (!allSee) factors.push(operand(seeing, "seeing"));
  }
  if (item !== undefined && known === undefined) {
    const least = context.weights.number(-3e38);
    if (isTruth(item)) {
      seen = where(b, item.truth, seen, least);
      factors.push(item.truth);
    } else {
      const bias = lift(call, item);
      seen = add(b, seen, isKnown(item) ? bias : clip(b, bias, { min: -3e38 }));
      if (!isKnown(item)) factors.push(greater(b, bias, least));
    }
  }
  return factors.reduce((x, factor) => mul(b, x, factor), softmax(b, seen, -1));
}

/** Scores drawn towards zero, beyond which none gets by more than the cap. */
function capped({ b, attributes }: Call, scores: Value): Value {
  const cap = attributes.float("softcap", 0);
  return cap === 0 ? scores : scale(b, tanh(b, scale(b, scores, 1 / cap)), cap);
}

const attention: Rule = (call) => {
  const { b, attributes, inputs, wants } = call;
  for (const [i, what] of unsupported)
    if (inputs[i] !== undefined) throw new UnreadableError(`${what} are not supported`);
  if (wants.slice(1).some(Boolean))
    throw new UnreadableError("outputs other than its first are not supported");
  const joined = valueInput(call, queries).shape.length === 3;
  const q = byHead(call, queries, attributes.int("q_num_heads", 0));
  const [k, v] = [keys, values].map((i) =>
    forQueries(call, byHead(call, i, attributes.int("kv_num_heads", 0)), q.shape[1]!),
  ) as [Value, Value];
  const by = attributes.float("scale", 1 / Math.sqrt(q.shape[3] as number));
  const scores = scale(b, matMul(b, q, swapAxes(b, k, -1, -2)), by);
  const y = matMul(b, shares(call, capped(call, scores)), v);
  if (!joined) return y;
  const [batch, heads, tokens, channels] = y.shape as [Shape[number], number, Shape[number], number];
  return reshape(b, transpose(b, y, [0, 2, 1, 3]), [batch, tokens, heads * channels]);
};

export const attentions: Readonly<Record<string, Rule>> = { Attention: attention };
