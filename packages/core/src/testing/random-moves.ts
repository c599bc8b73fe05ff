import { type Builder, uniformFanIn, type Value } from "../graph/builder.ts";
import { batch } from "../graph/extent.ts";
import { expand, reduceSum } from "../operators/broadcast.ts";
import { greater, where } from "../operators/choice.ts";
import { cumSum } from "../operators/cumulative-sum.ts";
import { inverseRealDft, realDft } from "../operators/dft.ts";
import { add, gelu, mul, relu, sub } from "../operators/elementwise.ts";
import { gather } from "../operators/gather.ts";
import { gatherND, scatterND } from "../operators/gather-nd.ts";
import { reshape, swapAxes, transpose } from "../operators/layout.ts";
import { matMul } from "../operators/matmul.ts";
import { averagePool, maxPool } from "../operators/pool.ts";
import { scale } from "../operators/scale.ts";
import { concat, pad, slice } from "../operators/slice.ts";
import { softmax } from "../operators/softmax.ts";
import { topK } from "../operators/top-k.ts";
import type { DrawBlock } from "./random-choice.ts";
import { linear, norm, overTokens, tokensOf, widthOf } from "./random-layers.ts";

/** How moved and unmoved positions meet: in a shared weight, in a product, or not at all. */
type Meets = "shared" | "product" | "apart";
const meets = ["shared", "product", "apart"] as const;

/** Operators over p and q [batch, rows, channels], both axes of which can be pruned; `axis` is either. */
const operations = {
  add: (b, p, q) => add(b, p, q),
  subtract: (b, p, q) => sub(b, p, q),
  multiply: (b, p, q) => mul(b, p, q),
  exceed: (b, p, q) => greater(b, p, q),
  where: (b, p, q) => where(b, p, q, b.constant(0)),
  unless: (b, p, q) => where(b, p, b.constant(0), q),
  activate: (b, p) => gelu(b, scale(b, relu(b, p), 2)),
  normalize: (b, p) => norm(b, "norm", p),
  compare: (b, p, _q, axis) => softmax(b, p, axis),
  product: (b, p, q) => matMul(b, p, swapAxes(b, q, 1, 2)),
  batched(b, p, q) {
    const columns = (x: Value) => reshape(b, x, [batch, tokensOf(x), widthOf(x), 1]);
    const squares = matMul(b, columns(p), swapAxes(b, columns(q), 2, 3));
    return reduceSum(b, squares, [2]);
  },
  swap: (b, p) => swapAxes(b, p, 1, 2),
  flatten: (b, p) => reshape(b, p, [batch, 1, tokensOf(p) * widthOf(p)]),
  sum: (b, p, _q, axis) => reduceSum(b, p, [axis], true),
  repeat: (b, p, _q, axis) => expand(b, reduceSum(b, p, [axis], true), p.shape),
  join: (b, p, q, axis) => concat(b, [p, q], axis),
  cut: (b, p, _q, axis) => slice(b, p, axis, 1, extentOf(p, axis)),
  pad: (b, p, _q, axis) => pad(b, p, axis, 1, 1),
  ring: (b, p, _q, axis) => slice(b, pad(b, p, axis, 1, 1, "wrap"), axis, 0, extentOf(p, axis)),
  pool: (b, p, _q, axis) => averagePool(b, p, axis, { kernel: 3, before: 1, after: 1 }),
  largest: (b, p, _q, axis) => maxPool(b, p, axis, { kernel: 3, before: 1, after: 1 }),
  accumulate: (b, p, _q, axis) => cumSum(b, p, axis),
  sort: (b, p, _q, axis) => topK(b, p, axis, extentOf(p, axis))[0],
  spectrum: (b, p, _q, axis) => inverseRealDft(b, realDft(b, p, axis), axis, extentOf(p, axis)),
  frequencies(b, p) {
    const spectrum = realDft(b, p, 1);
    return reshape(b, spectrum, [batch, spectrum.shape[1]!, 2 * widthOf(p)]);
  },
  signal(b, p) {
    const parts = reshape(b, linear(b, "parts", p, 2 * widthOf(p)), [...p.shape, 2]);
    return inverseRealDft(b, parts, 1, 2 * tokensOf(p) - 2);
  },
  reverse(b, p, _q, axis) {
    const extent = extentOf(p, axis);
    const order = Array.from({ length: extent }, (_, i) => extent - 1 - i);
    return gather(b, p, b.indices("reversed", [extent], order), axis);
  },
  sortLike(b, p, q) {
    const [, places] = topK(b, q, 2, widthOf(q));
    return gatherND(b, p, reshape(b, places, [...places.shape, 1]), 2);
  },
  replace(b, p, q) {
    const places = expand(b, b.indices("places", [1, 2, 1], [tokensOf(p) - 1, 0]), [batch, 2, 1]);
    return scatterND(b, p, places, slice(b, q, 1, 0, 2), { batchDims: 1 });
  },
} satisfies Readonly<Record<string, (b: Builder, p: Value, q: Value, axis: 1 | 2) => Value>>;

const extentOf = (x: Value, axis: number) => x.shape[axis] as number;

const flag = [false, true] as const;

/** Random choices of the blocks that move positions inside a dimension. */
export const movingChoices = {
  rolled: { width: [3, 8], by: [1, 7], meets },
  flipped: { width: [2, 5], meets },
  shuffled: { groups: [2, 3], width: [2, 3], meets },
  strided: { width: [2, 4], asGather: flag },
  interleaved: { width: [2, 4], apart: flag },
  differences: { width: [3, 8], lag: [1, 7] },
  convolved: { width: [2, 5], taps: [2, 3], channels: flag },
  groupedQuery: { groups: [2, 3], repeats: [2, 3], channels: [2, 3], tiled: flag },
  between: { rows: [3, 5], width: [3, 5], by: Object.keys(operations), channels: flag },
  scattered: { channels: flag, add: flag },
} as const;

/** Blocks that move or compare positions inside a dimension; every operator that can do so appears in one. */
export const movingBlocks: {
  readonly [K in keyof typeof movingChoices]: DrawBlock<(typeof movingChoices)[K]>;
} = {
  /** Channels around the ring, as `torch.roll` exports. */
  rolled(b, x, o) {
    const hidden = linear(b, "up", x, o.width);
    const by = 1 + ((o.by - 1) % (o.width - 1));
    const rolled = concat(b, [slice(b, hidden, 2, by, o.width), slice(b, hidden, 2, 0, by)], 2);
    return met(b, x, hidden, rolled, o.meets);
  },

  /** Channels in reverse order, which importers draw as a Gather. */
  flipped(b, x, o) {
    const hidden = linear(b, "up", x, o.width);
    const order = b.indices(
      "reversed",
      [o.width],
      Array.from({ length: o.width }, (_, i) => o.width - 1 - i),
    );
    return met(b, x, hidden, gather(b, hidden, order, 2), o.meets);
  },

  /** ShuffleNet's channel shuffle. */
  shuffled(b, x, o) {
    const hidden = linear(b, "up", x, o.groups * o.width);
    const grouped = reshape(b, hidden, [batch, tokensOf(x), o.groups, o.width]);
    const shuffled = reshape(b, swapAxes(b, grouped, 2, 3), hidden.shape);
    return met(b, x, hidden, shuffled, o.meets);
  },

  /** Every second channel, by a Gather or by a slice of pairs. */
  strided(b, x, o) {
    const hidden = linear(b, "up", x, 2 * o.width);
    const pairs = reshape(b, hidden, [batch, tokensOf(x), o.width, 2]);
    const even = o.asGather
      ? gather(
          b,
          hidden,
          b.indices(
            "even",
            [o.width],
            Array.from({ length: o.width }, (_, i) => 2 * i),
          ),
          2,
        )
      : reshape(b, slice(b, pairs, 3, 0, 1), [batch, tokensOf(x), o.width]);
    return add(b, x, add(b, linear(b, "even", even, widthOf(x)), linear(b, "all", hidden, widthOf(x))));
  },

  /** Channels of two layers in turn, as in rotary positions; read unchanged, or in halves again. */
  interleaved(b, x, o) {
    const column = (name: string) =>
      reshape(b, linear(b, name, x, o.width), [batch, tokensOf(x), o.width, 1]);
    const pairs = concat(b, [column("real"), gelu(b, column("imaginary"))], 3);
    const joined = reshape(b, pairs, [batch, tokensOf(x), 2 * o.width]);
    if (!o.apart) return add(b, x, linear(b, "down", joined, widthOf(x)));
    const halves = [slice(b, joined, 2, 0, o.width), slice(b, joined, 2, o.width, 2 * o.width)] as const;
    return add(b, x, linear(b, "down", mul(b, ...halves), widthOf(x)));
  },

  /** Each channel minus the one `lag` before it. */
  differences(b, x, o) {
    const hidden = linear(b, "up", x, o.width);
    const lag = 1 + ((o.lag - 1) % (o.width - 1));
    const later = slice(b, hidden, 2, lag, o.width);
    return add(b, x, linear(b, "down", sub(b, later, slice(b, hidden, 2, 0, o.width - lag)), widthOf(x)));
  },

  /** A convolution as a product of shifted copies, over tokens or over channels. */
  convolved(b, x, o) {
    const hidden = gelu(b, linear(b, "up", x, o.width));
    const along = o.channels ? 2 : 1;
    const extent = hidden.shape[along] as number;
    const padded = pad(b, hidden, along, o.taps - 1, 0);
    const shifted = Array.from({ length: o.taps }, (_, tap) => slice(b, padded, along, tap, tap + extent));
    const weight = b.parameter("taps", [widthOf(x), o.width, o.taps], uniformFanIn(o.taps * o.width));
    const matrix = reshape(b, transpose(b, weight, [2, 1, 0]), [o.taps * o.width, widthOf(x)]);
    return add(b, x, matMul(b, concat(b, shifted, 2), matrix));
  },

  /** Heads of queries that share heads of keys and values, repeated one by one or all together. */
  groupedQuery(b, x, o) {
    const { groups, repeats, channels, tiled } = o;
    const tokens = tokensOf(x);
    const heads = groups * repeats;
    const split = (name: string, count: number) => {
      const wide = linear(b, name, x, count * channels);
      return transpose(b, reshape(b, wide, [batch, tokens, count, channels]), [0, 2, 1, 3]);
    };
    const repeated = (name: string) => {
      const [lead, full] = tiled
        ? [
            [1, groups],
            [repeats, groups],
          ]
        : [
            [groups, 1],
            [groups, repeats],
          ];
      const one = reshape(b, split(name, groups), [batch, ...lead, tokens, channels]);
      const all = expand(b, one, [batch, ...full, tokens, channels]);
      return reshape(b, all, [batch, heads, tokens, channels]);
    };
    const scores = softmax(b, matMul(b, split("q", heads), swapAxes(b, repeated("k"), -1, -2)), -1);
    const mixed = transpose(b, matMul(b, scores, repeated("v")), [0, 2, 1, 3]);
    return add(b, x, linear(b, "out", reshape(b, mixed, [batch, tokens, heads * channels]), widthOf(x)));
  },

  /** An operator over two values whose rows and channels are produced and consumed by their own layers. */
  between(b, x, o) {
    const made = (name: string) => overTokens(b, `${name}.rows`, linear(b, `${name}.up`, x, o.width), o.rows);
    const operation: (b: Builder, p: Value, q: Value, axis: 1 | 2) => Value =
      operations[o.by as keyof typeof operations];
    const result = operation(b, made("p"), made("q"), o.channels ? 2 : 1);
    return add(b, x, overTokens(b, "rows", linear(b, "down", result, widthOf(x)), tokensOf(x)));
  },

  /** Replaces some tokens (or channels) by others. */
  scattered(b, x, o) {
    const hidden = linear(b, "up", x, widthOf(x) + 1);
    const rows = o.channels ? swapAxes(b, hidden, 1, 2) : hidden;
    const count = rows.shape[1] as number;
    if (count < 2) return x;
    const places = expand(b, b.indices("places", [1, 2, 1], [count - 1, 0]), [batch, 2, 1]);
    const options = { batchDims: 1, reduction: o.add ? "add" : "none" } as const;
    const mixed = scatterND(b, rows, places, gelu(b, slice(b, rows, 1, 0, 2)), options);
    return add(b, x, linear(b, "down", o.channels ? swapAxes(b, mixed, 1, 2) : mixed, widthOf(x)));
  },
};

/** Adds to x a function of some channels, and of the same channels moved. */
function met(b: Builder, x: Value, hidden: Value, moved: Value, how: Meets): Value {
  const width = widthOf(x);
  if (how === "product") return add(b, x, linear(b, "down", mul(b, gelu(b, hidden), moved), width));
  const other = linear(b, how === "shared" ? "down" : "other", moved, width);
  return add(b, x, add(b, linear(b, "down", hidden, width), other));
}
