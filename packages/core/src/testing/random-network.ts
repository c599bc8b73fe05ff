import { Builder, type Drawing, normal, uniformFanIn } from "../graph/builder.ts";
import { batch, elementsOf } from "../graph/extent.ts";
import { float32 } from "../graph/tensor.ts";
import { batchNormalization } from "../operators/batch-normalization.ts";
import { expand, reduceMean, reduceSum } from "../operators/broadcast.ts";
import { add, div, gelu, mul, relu } from "../operators/elementwise.ts";
import { gather } from "../operators/gather.ts";
import { reshape, swapAxes, transpose } from "../operators/layout.ts";
import { matMul } from "../operators/matmul.ts";
import { scale } from "../operators/scale.ts";
import { concat, pad, slice } from "../operators/slice.ts";
import { softmax } from "../operators/softmax.ts";
import { type Chooser, type ChosenOptions, chooseOptions, type DrawBlock } from "./random-choice.ts";
import { linear, norm, overTokens, tokensOf, uneven, widthOf } from "./random-layers.ts";
import { movingBlocks, movingChoices } from "./random-moves.ts";

const size = [2, 5] as const;
const flag = [false, true] as const;

/** Random choices of each block: a number within bounds, or a flag. */
const choices = {
  linear: { width: [2, 7] },
  feedForward: { width: [2, 9], gelu: flag, norm: flag },
  attention: { heads: size, channels: size, valueChannels: size, fold: flag },
  packedAttention: { heads: size, channels: size },
  multiQuery: { heads: size, channels: size },
  joined: { left: size, right: size, swap: flag },
  appended: { part: size },
  recut: { left: size, right: size, inside: flag },
  packed: { part: size, rest: size },
  tied: { width: size, square: flag },
  gram: { width: [2, 3] },
  gated: { tokens: flag },
  batchNorm: {},
  merge: {},
  meanGate: {},
  table: { buffer: flag },
  shifted: {},
  remixed: { channels: size },
  chosen: { width: size },
  unused: { width: size },
  ...movingChoices,
} as const;

type Kind = keyof typeof choices;
/** One block of a random network over x [batch, tokens, width]. */
export type RandomBlock = {
  readonly [K in Kind]: { readonly kind: K } & ChosenOptions<(typeof choices)[K]>;
}[Kind];

/** A network, given by its choices. */
export interface RandomNetwork {
  readonly tokens: number;
  readonly input: number;
  /** Whether neighbouring rows of the input are one token. */
  readonly patched: boolean;
  readonly width: number;
  /** Number of tokens that a layer over the input's tokens produces, which can then be pruned; 0 for none. */
  readonly mixed: number;
  readonly blocks: readonly RandomBlock[];
  readonly head: "linear" | "flatten" | "norm";
}

/** Chooses a network of one to four blocks, or of some numbers of blocks of some kinds. */
export function chooseNetwork(
  choose: Chooser,
  { kinds = Object.keys(choices) as RandomBlock["kind"][], most = 4 } = {},
): RandomNetwork {
  const block = (): RandomBlock => {
    const kind = choose.pick(kinds);
    return { kind, ...chooseOptions(choose, choices[kind]) } as RandomBlock;
  };
  return {
    tokens: choose.pick([4, 8]),
    input: choose.integer(...size),
    patched: choose.pick(flag),
    width: choose.integer(2, 7),
    mixed: choose.pick([0, 0, 0, 3, 4, 5, 6]),
    blocks: Array.from({ length: choose.integer(1, most) }, block),
    head: choose.pick(["linear", "flatten", "norm"] as const),
  };
}

/** Draws a random network that dimension inference has to understand without hints. */
export function drawNetwork(network: RandomNetwork): Drawing {
  const { tokens, input, patched, width, mixed, blocks: list, head } = network;
  const b = Builder.create();
  const rows = b.input("x", [batch, tokens, input]);
  let x = linear(b, "embed", patched ? reshape(b, rows, [batch, tokens / 2, 2 * input]) : rows, width);
  if (mixed > 0) x = overTokens(b, "mix", x, mixed);
  list.forEach((one, i) => {
    const draw = blocks[one.kind] as DrawBlock<never>;
    x = draw(b.scope(`b${i}`), x, one as never);
  });
  if (mixed > 0 && head !== "flatten") x = overTokens(b, "unmix", x, 2);
  if (head === "norm") x = norm(b, "last", x);
  if (head === "flatten") {
    const [, t, w] = x.shape as [unknown, number, number];
    x = reshape(b, swapAxes(b, x, 1, 2), [batch, t * w]);
  }
  b.output("y", linear(b, "head", x, 3));
  return b.build();
}

const blocks: { readonly [K in Kind]: DrawBlock<(typeof choices)[K]> } = {
  linear: (b, x, options) => linear(b, "fc", x, options.width),

  feedForward(b, x, o) {
    const hidden = linear(b, "up", x, o.width);
    const sum = add(b, x, linear(b, "down", o.gelu ? gelu(b, hidden) : relu(b, hidden), widthOf(x)));
    return o.norm ? norm(b, "norm", sum) : sum;
  },

  /** Merges batch and tokens into one axis while projecting, if asked. */
  attention(b, x, o) {
    const { heads, channels, valueChannels } = o;
    const tokens = tokensOf(x);
    const folded = o.fold ? reshape(b, x, [elementsOf([batch, tokens]), widthOf(x)]) : x;
    const split = (name: string, c: number, perm: readonly number[]) =>
      transpose(b, reshape(b, linear(b, name, folded, heads * c), [batch, tokens, heads, c]), perm);
    const scores = matMul(b, split("q", channels, [0, 2, 1, 3]), split("k", channels, [0, 2, 3, 1]));
    const mixed = matMul(b, softmax(b, scale(b, scores, 0.5), -1), split("v", valueChannels, [0, 2, 1, 3]));
    const flat = reshape(b, transpose(b, mixed, [0, 2, 1, 3]), [batch, tokens, heads * valueChannels]);
    return add(b, x, linear(b, "out", flat, widthOf(x)));
  },

  /** Queries, keys and values from one projection, as `nn.MultiheadAttention` stores them. */
  packedAttention(b, x, { heads, channels }) {
    const tokens = tokensOf(x);
    const packed = linear(b, "in_proj", x, 3 * heads * channels);
    const parts = transpose(b, reshape(b, packed, [batch, tokens, 3, heads, channels]), [2, 0, 3, 1, 4]);
    const part = (i: number) => reshape(b, slice(b, parts, 0, i, i + 1), [batch, heads, tokens, channels]);
    const scores = softmax(b, matMul(b, part(0), swapAxes(b, part(1), -1, -2)), -1);
    const mixed = transpose(b, matMul(b, scores, part(2)), [0, 2, 1, 3]);
    return add(b, x, linear(b, "out", reshape(b, mixed, [batch, tokens, heads * channels]), widthOf(x)));
  },

  /** Many heads of queries, one of keys and values. */
  multiQuery(b, x, { heads, channels }) {
    const tokens = tokensOf(x);
    const q = transpose(
      b,
      reshape(b, linear(b, "q", x, heads * channels), [batch, tokens, heads, channels]),
      [0, 2, 1, 3],
    );
    const one = (name: string) => reshape(b, linear(b, name, x, channels), [batch, 1, tokens, channels]);
    const mixed = matMul(b, softmax(b, matMul(b, q, swapAxes(b, one("k"), -1, -2)), -1), one("v"));
    const flat = reshape(b, transpose(b, mixed, [0, 2, 1, 3]), [batch, tokens, heads * channels]);
    return add(b, x, linear(b, "out", flat, widthOf(x)));
  },

  joined(b, x, o) {
    const parts = [linear(b, "left", x, o.left), relu(b, linear(b, "right", x, o.right))];
    return linear(b, "join", concat(b, o.swap ? parts.reverse() : parts, 2), widthOf(x));
  },

  /** DenseNet's connection: later layers see both. */
  appended: (b, x, { part }) => norm(b, "norm", concat(b, [x, gelu(b, linear(b, "more", x, part))], 2)),

  /** Cuts a concatenation at its border again, or inside a part. */
  recut(b, x, o) {
    const whole = concat(b, [linear(b, "left", x, o.left), linear(b, "right", x, o.right)], 2);
    const at = o.inside ? o.left - 1 : o.left;
    const first = relu(b, slice(b, whole, 2, 0, at));
    const second = slice(b, whole, 2, at, o.left + o.right);
    return add(b, linear(b, "first", first, widthOf(x)), linear(b, "second", second, widthOf(x)));
  },

  /** One projection for a gate, the gated values, and a rest of another size. */
  packed(b, x, { part, rest }) {
    const packed = linear(b, "packed", x, 2 * part + rest);
    const first = slice(b, packed, 2, 0, part);
    const second = gelu(b, slice(b, packed, 2, part, 2 * part));
    const third = relu(b, slice(b, packed, 2, 2 * part, 2 * part + rest));
    const gated = linear(b, "unpack", mul(b, first, second), widthOf(x));
    return add(b, add(b, x, gated), linear(b, "rest", third, widthOf(x)));
  },

  /** One weight used twice: there and back, or the same square one twice. */
  tied(b, x, { width, square }) {
    const from = widthOf(x);
    if (square) {
      const twice = linear(b, "same", gelu(b, linear(b, "same", x, from)), from);
      return add(b, x, twice);
    }
    const weight = b.parameter("weight", [width, from], uniformFanIn(from));
    const code = relu(b, matMul(b, x, swapAxes(b, weight, 0, 1)));
    return add(b, x, matMul(b, code, weight));
  },

  /** All products of two channels: one dimension twice in one axis. */
  gram(b, x, { width }) {
    const narrow = linear(b, "narrow", x, width);
    const products = matMul(b, swapAxes(b, narrow, 1, 2), narrow);
    const flat = reshape(b, products, [batch, 1, width * width]);
    return add(b, x, linear(b, "spread", flat, widthOf(x)));
  },

  gated(b, x, { tokens }) {
    const gate = relu(b, linear(b, "gate", x, tokens ? 1 : widthOf(x)));
    return div(b, add(b, x, mul(b, gate, x)), b.constant(2));
  },

  batchNorm(b, x) {
    const width = widthOf(x);
    const data = (offset: number, range: number) =>
      float32(
        [width],
        Array.from({ length: width }, (_, i) => offset + range * Math.sin(i)),
      );
    const parameters = {
      scale: b.parameter("bn.weight", [width], uneven),
      bias: b.parameter("bn.bias", [width], normal),
      mean: b.buffer("bn.running_mean", data(0, 0.5)),
      variance: b.buffer("bn.running_var", data(1, 0.5)),
    };
    return swapAxes(b, batchNormalization(b, swapAxes(b, x, 1, 2), parameters), 1, 2);
  },

  /** Merges neighbouring tokens. */
  merge(b, x) {
    const [tokens, width] = [tokensOf(x), widthOf(x)];
    if (tokens % 2 !== 0) return x;
    const joined = norm(b, "norm", reshape(b, x, [batch, tokens / 2, 2 * width]));
    return linear(b, "merge", joined, width);
  },

  meanGate(b, x) {
    const inner = relu(b, linear(b, "inner", x, widthOf(x) + 1));
    const mean = reduceMean(b, inner, [2], true);
    const sum = reduceSum(b, linear(b, "other", x, widthOf(x) + 2), [2], true);
    return add(b, x, linear(b, "gate", add(b, mean, sum), widthOf(x)));
  },

  /** A table of positions, learnt or not, repeated over the batch. */
  table(b, x, { buffer }) {
    const shape = [1, tokensOf(x), widthOf(x)] as const;
    const data = float32(
      shape,
      Array.from({ length: shape[1] * shape[2] }, (_, i) => Math.cos(i)),
    );
    const table = buffer ? b.buffer("table", data) : b.parameter("table", shape, normal);
    return add(b, x, expand(b, table, [batch, shape[1], shape[2]]));
  },

  /** A reshape that mixes tokens with some of the channels, and leaves the rest as a separate dimension. */
  remixed(b, x, { channels }) {
    const tokens = tokensOf(x);
    if (tokens % 2 !== 0) return x;
    const packed = linear(b, "pack", x, 3 * channels);
    const mixed = gelu(
      b,
      linear(b, "mix", reshape(b, packed, [batch, (3 * tokens) / 2, 2, channels]), channels + 1),
    );
    const back = reshape(b, mixed, [batch, tokens, 3 * (channels + 1)]);
    return add(b, x, linear(b, "unpack", back, widthOf(x)));
  },

  /** A softmax along channels: none of them may be removed. */
  chosen: (b, x, { width }) =>
    add(b, x, linear(b, "of", softmax(b, linear(b, "choice", x, width), -1), widthOf(x))),

  /** Nodes that no output depends on. */
  unused(b, x, { width }) {
    linear(b, "end", gelu(b, linear(b, "dead", x, width)), width + 1);
    b.parameter("nowhere", [widthOf(x), width], normal);
    return x;
  },

  /** Each token sees the one before it: a pad and a gather along the tokens. */
  shifted(b, x) {
    const tokens = tokensOf(x);
    const before = slice(b, pad(b, x, 1, 1, 0), 1, 0, tokens);
    const order = b.indices(
      "order",
      [tokens],
      Array.from({ length: tokens }, (_, i) => tokens - 1 - i),
    );
    return add(b, before, linear(b, "mix", gather(b, x, order, 1), widthOf(x)));
  },
  ...movingBlocks,
};
