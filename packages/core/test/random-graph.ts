import {
  add,
  averagePool,
  Builder,
  batch,
  batchNormalization,
  concat,
  cumSum,
  type Drawing,
  div,
  elementsOf,
  expand,
  filled,
  float32,
  gather,
  gatherND,
  gelu,
  type Initializer,
  inverseRealDft,
  layerNormalization,
  matMul,
  maxPool,
  mul,
  normal,
  pad,
  realDft,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  scale,
  scatterND,
  slice,
  softmax,
  sub,
  swapAxes,
  topK,
  transpose,
  uniformFanIn,
  type Value,
} from "@espalier/core";
import fc from "fast-check";

/** Operators that move or read positions along channels, each with as many channels out as in. */
const channelOperators = {
  pool: (b: Builder, x: Value) => averagePool(b, x, 2, { kernel: 3, before: 1, after: 1 }),
  largest: (b: Builder, x: Value) => maxPool(b, x, 2, { kernel: 3, before: 1, after: 1 }),
  sums: (b: Builder, x: Value) => cumSum(b, x, 2),
  sorted: (b: Builder, x: Value) => topK(b, x, 2, widthOf(x))[0],
  ring: (b: Builder, x: Value) => slice(b, pad(b, x, 2, 1, 1, "wrap"), 2, 0, widthOf(x)),
  behind: (b: Builder, x: Value) => slice(b, pad(b, x, 2, 0, 2), 2, 2, widthOf(x) + 2),
  spectrum: (b: Builder, x: Value) => inverseRealDft(b, realDft(b, x, 2), 2, widthOf(x)),
  largestFirst(b: Builder, x: Value) {
    const [, places] = topK(b, x, 2, widthOf(x));
    return gatherND(b, x, reshape(b, places, [...places.shape, 1]), 2);
  },
};

/** One block of a random network over x [batch, tokens, width]. */
export type Block = {
  [K in keyof typeof blocks]: { readonly kind: K } & Parameters<(typeof blocks)[K]>[2];
}[keyof typeof blocks];

export interface Network {
  readonly tokens: number;
  readonly input: number;
  /** Whether neighbouring rows of the input are one token. */
  readonly patched: boolean;
  readonly width: number;
  readonly blocks: readonly Block[];
  readonly head: "linear" | "flatten" | "norm";
}

const size = fc.integer({ min: 2, max: 5 });
const of = <K extends keyof typeof blocks>(
  kind: K,
  options: {
    [N in keyof Parameters<(typeof blocks)[K]>[2]]: fc.Arbitrary<Parameters<(typeof blocks)[K]>[2][N]>;
  },
) => fc.record({ kind: fc.constant(kind), ...(options as object) }) as unknown as fc.Arbitrary<Block>;

/** How what was moved meets what was not: a shared weight, a sum, or not at all. */
type Meets = "shared" | "sum" | "apart";
const meets = fc.constantFrom<Meets>("shared", "sum", "apart");

const block: fc.Arbitrary<Block> = fc.oneof(
  of("linear", { width: fc.integer({ min: 2, max: 7 }) }),
  of("feedForward", { width: fc.integer({ min: 2, max: 9 }), gelu: fc.boolean(), norm: fc.boolean() }),
  of("attention", { heads: size, channels: size, valueChannels: size, fold: fc.boolean() }),
  of("packedAttention", { heads: size, channels: size }),
  of("multiQuery", { heads: size, channels: size }),
  of("joined", { left: size, right: size, swap: fc.boolean() }),
  of("appended", { part: size }),
  of("recut", { left: size, right: size, inside: fc.boolean() }),
  of("packed", { part: size, rest: size }),
  of("tied", { width: size, square: fc.boolean() }),
  of("gram", { width: fc.integer({ min: 2, max: 3 }) }),
  of("gated", { tokens: fc.boolean() }),
  of("batchNorm", {}),
  of("merge", {}),
  of("meanGate", {}),
  of("table", { buffer: fc.boolean() }),
  of("shifted", {}),
  of("remixed", { channels: size }),
  of("chosen", { width: size }),
  of("rolled", { width: fc.integer({ min: 3, max: 8 }), by: fc.nat(), meets }),
  of("flipped", { width: size, meets }),
  of("shuffled", { groups: fc.integer({ min: 2, max: 3 }), width: fc.integer({ min: 2, max: 3 }), meets }),
  of("strided", { width: fc.integer({ min: 2, max: 4 }), asGather: fc.boolean() }),
  of("interleaved", { width: fc.integer({ min: 2, max: 4 }), apart: fc.boolean() }),
  of("differences", { width: fc.integer({ min: 3, max: 8 }), lag: fc.nat() }),
  of("convolved", { width: size, taps: fc.integer({ min: 2, max: 3 }), channels: fc.boolean() }),
  of("groupedQuery", {
    groups: fc.integer({ min: 2, max: 3 }),
    repeats: fc.integer({ min: 2, max: 3 }),
    channels: fc.integer({ min: 2, max: 3 }),
    tiled: fc.boolean(),
  }),
  of("alongChannels", {
    width: fc.integer({ min: 4, max: 6 }),
    by: fc.constantFrom(...(Object.keys(channelOperators) as (keyof typeof channelOperators)[])),
    meets,
  }),
  of("scattered", { channels: fc.boolean(), add: fc.boolean() }),
  of("unused", { width: size }),
);

export const network: fc.Arbitrary<Network> = fc.record({
  tokens: fc.constantFrom(4, 8),
  input: size,
  patched: fc.boolean(),
  width: fc.integer({ min: 2, max: 7 }),
  blocks: fc.array(block, { minLength: 1, maxLength: 4 }),
  head: fc.constantFrom("linear" as const, "flatten" as const, "norm" as const),
});

/** Draws a random network: what dimension inference has to understand without being told. */
export function drawNetwork({ tokens, input, patched, width, blocks: list, head }: Network): Drawing {
  const b = Builder.create();
  const rows = b.input("x", [batch, tokens, input]);
  let x = linear(b, "embed", patched ? reshape(b, rows, [batch, tokens / 2, 2 * input]) : rows, width);
  list.forEach((one, i) => {
    const draw = blocks[one.kind] as (b: Builder, x: Value, options: Block) => Value;
    x = draw(b.scope(`b${i}`), x, one);
  });
  if (head === "norm") x = norm(b, "last", x);
  if (head === "flatten") {
    const [, t, w] = x.shape as [unknown, number, number];
    x = reshape(b, swapAxes(b, x, 1, 2), [batch, t * w]);
  }
  b.output("y", linear(b, "head", x, 3));
  return b.build();
}

const tokensOf = (x: Value) => x.shape[1] as number;
const widthOf = (x: Value) => x.shape[2] as number;

const blocks = {
  linear: (b: Builder, x: Value, options: { readonly width: number }) => linear(b, "fc", x, options.width),

  feedForward(
    b: Builder,
    x: Value,
    o: { readonly width: number; readonly gelu: boolean; readonly norm: boolean },
  ) {
    const hidden = linear(b, "up", x, o.width);
    const sum = add(b, x, linear(b, "down", o.gelu ? gelu(b, hidden) : relu(b, hidden), widthOf(x)));
    return o.norm ? norm(b, "norm", sum) : sum;
  },

  /** With the batch and the tokens as one axis while projecting, if asked. */
  attention(
    b: Builder,
    x: Value,
    o: {
      readonly heads: number;
      readonly channels: number;
      readonly valueChannels: number;
      readonly fold: boolean;
    },
  ) {
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
  packedAttention(
    b: Builder,
    x: Value,
    { heads, channels }: { readonly heads: number; readonly channels: number },
  ) {
    const tokens = tokensOf(x);
    const packed = linear(b, "in_proj", x, 3 * heads * channels);
    const parts = transpose(b, reshape(b, packed, [batch, tokens, 3, heads, channels]), [2, 0, 3, 1, 4]);
    const part = (i: number) => reshape(b, slice(b, parts, 0, i, i + 1), [batch, heads, tokens, channels]);
    const scores = softmax(b, matMul(b, part(0), swapAxes(b, part(1), -1, -2)), -1);
    const mixed = transpose(b, matMul(b, scores, part(2)), [0, 2, 1, 3]);
    return add(b, x, linear(b, "out", reshape(b, mixed, [batch, tokens, heads * channels]), widthOf(x)));
  },

  /** Many heads of queries, one of keys and values. */
  multiQuery(
    b: Builder,
    x: Value,
    { heads, channels }: { readonly heads: number; readonly channels: number },
  ) {
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

  joined(b: Builder, x: Value, o: { readonly left: number; readonly right: number; readonly swap: boolean }) {
    const parts = [linear(b, "left", x, o.left), relu(b, linear(b, "right", x, o.right))];
    return linear(b, "join", concat(b, o.swap ? parts.reverse() : parts, 2), widthOf(x));
  },

  /** DenseNet's connection: what comes after sees both. */
  appended: (b: Builder, x: Value, { part }: { readonly part: number }) =>
    norm(b, "norm", concat(b, [x, gelu(b, linear(b, "more", x, part))], 2)),

  /** Cuts a concatenation at its border again, or inside a part. */
  recut(
    b: Builder,
    x: Value,
    o: { readonly left: number; readonly right: number; readonly inside: boolean },
  ) {
    const whole = concat(b, [linear(b, "left", x, o.left), linear(b, "right", x, o.right)], 2);
    const at = o.inside ? o.left - 1 : o.left;
    const first = relu(b, slice(b, whole, 2, 0, at));
    const second = slice(b, whole, 2, at, o.left + o.right);
    return add(b, linear(b, "first", first, widthOf(x)), linear(b, "second", second, widthOf(x)));
  },

  /** One projection for a gate, what it gates, and a rest of another size. */
  packed(b: Builder, x: Value, { part, rest }: { readonly part: number; readonly rest: number }) {
    const packed = linear(b, "packed", x, 2 * part + rest);
    const first = slice(b, packed, 2, 0, part);
    const second = gelu(b, slice(b, packed, 2, part, 2 * part));
    const third = relu(b, slice(b, packed, 2, 2 * part, 2 * part + rest));
    const gated = linear(b, "unpack", mul(b, first, second), widthOf(x));
    return add(b, add(b, x, gated), linear(b, "rest", third, widthOf(x)));
  },

  /** One weight in two places: there and back, or the same square one twice. */
  tied(b: Builder, x: Value, { width, square }: { readonly width: number; readonly square: boolean }) {
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
  gram(b: Builder, x: Value, { width }: { readonly width: number }) {
    const narrow = linear(b, "narrow", x, width);
    const products = matMul(b, swapAxes(b, narrow, 1, 2), narrow);
    const flat = reshape(b, products, [batch, 1, width * width]);
    return add(b, x, linear(b, "spread", flat, widthOf(x)));
  },

  gated(b: Builder, x: Value, { tokens }: { readonly tokens: boolean }) {
    const gate = relu(b, linear(b, "gate", x, tokens ? 1 : widthOf(x)));
    return div(b, add(b, x, mul(b, gate, x)), b.constant(2));
  },

  batchNorm(b: Builder, x: Value, _: object) {
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

  /** Neighbouring tokens become one. */
  merge(b: Builder, x: Value, _: object) {
    const [tokens, width] = [tokensOf(x), widthOf(x)];
    if (tokens % 2 !== 0) return x;
    const joined = norm(b, "norm", reshape(b, x, [batch, tokens / 2, 2 * width]));
    return linear(b, "merge", joined, width);
  },

  meanGate(b: Builder, x: Value, _: object) {
    const inner = relu(b, linear(b, "inner", x, widthOf(x) + 1));
    const mean = reduceMean(b, inner, [2], true);
    const sum = reduceSum(b, linear(b, "other", x, widthOf(x) + 2), [2], true);
    return add(b, x, linear(b, "gate", add(b, mean, sum), widthOf(x)));
  },

  /** A table of positions, learnt or not, repeated over the batch. */
  table(b: Builder, x: Value, { buffer }: { readonly buffer: boolean }) {
    const shape = [1, tokensOf(x), widthOf(x)] as const;
    const data = float32(
      shape,
      Array.from({ length: shape[1] * shape[2] }, (_, i) => Math.cos(i)),
    );
    const table = buffer ? b.buffer("table", data) : b.parameter("table", shape, normal);
    return add(b, x, expand(b, table, [batch, shape[1], shape[2]]));
  },

  /** A reshape that mixes tokens with part of the channels, and leaves the rest as a dimension of its own. */
  remixed(b: Builder, x: Value, { channels }: { readonly channels: number }) {
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

  /** A softmax along channels: none of them may go. */
  chosen: (b: Builder, x: Value, { width }: { readonly width: number }) =>
    add(b, x, linear(b, "of", softmax(b, linear(b, "choice", x, width), -1), widthOf(x))),

  /** Channels around the ring, as `torch.roll` exports. */
  rolled(b: Builder, x: Value, o: { readonly width: number; readonly by: number; readonly meets: Meets }) {
    const hidden = linear(b, "up", x, o.width);
    const by = 1 + (o.by % (o.width - 1));
    const rolled = concat(b, [slice(b, hidden, 2, by, o.width), slice(b, hidden, 2, 0, by)], 2);
    return met(b, x, hidden, rolled, o.meets);
  },

  /** Channels in reverse order, which importers draw as a Gather. */
  flipped(b: Builder, x: Value, o: { readonly width: number; readonly meets: Meets }) {
    const hidden = linear(b, "up", x, o.width);
    const order = b.indices(
      "reversed",
      [o.width],
      Array.from({ length: o.width }, (_, i) => o.width - 1 - i),
    );
    return met(b, x, hidden, gather(b, hidden, order, 2), o.meets);
  },

  /** ShuffleNet's channel shuffle. */
  shuffled(
    b: Builder,
    x: Value,
    o: { readonly groups: number; readonly width: number; readonly meets: Meets },
  ) {
    const hidden = linear(b, "up", x, o.groups * o.width);
    const grouped = reshape(b, hidden, [batch, tokensOf(x), o.groups, o.width]);
    const shuffled = reshape(b, swapAxes(b, grouped, 2, 3), hidden.shape);
    return met(b, x, hidden, shuffled, o.meets);
  },

  /** Every second channel, by a Gather or by a slice of pairs. */
  strided(b: Builder, x: Value, o: { readonly width: number; readonly asGather: boolean }) {
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

  /** Channels of two layers in turn, as rotary positions have them; read as they are, or in halves again. */
  interleaved(b: Builder, x: Value, o: { readonly width: number; readonly apart: boolean }) {
    const column = (name: string) =>
      reshape(b, linear(b, name, x, o.width), [batch, tokensOf(x), o.width, 1]);
    const pairs = concat(b, [column("real"), gelu(b, column("imaginary"))], 3);
    const joined = reshape(b, pairs, [batch, tokensOf(x), 2 * o.width]);
    if (!o.apart) return add(b, x, linear(b, "down", joined, widthOf(x)));
    const halves = [slice(b, joined, 2, 0, o.width), slice(b, joined, 2, o.width, 2 * o.width)] as const;
    return add(b, x, linear(b, "down", mul(b, ...halves), widthOf(x)));
  },

  /** Each channel less the one `lag` before it. */
  differences(b: Builder, x: Value, o: { readonly width: number; readonly lag: number }) {
    const hidden = linear(b, "up", x, o.width);
    const lag = 1 + (o.lag % (o.width - 1));
    const later = slice(b, hidden, 2, lag, o.width);
    return add(b, x, linear(b, "down", sub(b, later, slice(b, hidden, 2, 0, o.width - lag)), widthOf(x)));
  },

  /** A convolution as a product of shifted copies, over tokens or over channels. */
  convolved(
    b: Builder,
    x: Value,
    o: { readonly width: number; readonly taps: number; readonly channels: boolean },
  ) {
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
  groupedQuery(
    b: Builder,
    x: Value,
    o: {
      readonly groups: number;
      readonly repeats: number;
      readonly channels: number;
      readonly tiled: boolean;
    },
  ) {
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

  /** An operator that reads or moves positions along channels. */
  alongChannels(
    b: Builder,
    x: Value,
    o: { readonly width: number; readonly by: keyof typeof channelOperators; readonly meets: Meets },
  ) {
    const hidden = linear(b, "up", x, o.width);
    return met(b, x, hidden, channelOperators[o.by](b, hidden), o.meets);
  },

  /** Some tokens (or channels) are replaced by others. */
  scattered(b: Builder, x: Value, o: { readonly channels: boolean; readonly add: boolean }) {
    const hidden = linear(b, "up", x, widthOf(x) + 1);
    const rows = o.channels ? swapAxes(b, hidden, 1, 2) : hidden;
    const count = rows.shape[1] as number;
    if (count < 2) return x;
    const places = expand(b, b.indices("places", [1, 2, 1], [count - 1, 0]), [batch, 2, 1]);
    const options = { batchDims: 1, reduction: o.add ? "add" : "none" } as const;
    const mixed = scatterND(b, rows, places, gelu(b, slice(b, rows, 1, 0, 2)), options);
    return add(b, x, linear(b, "down", o.channels ? swapAxes(b, mixed, 1, 2) : mixed, widthOf(x)));
  },

  /** What no output depends on. */
  unused(b: Builder, x: Value, { width }: { readonly width: number }) {
    linear(b, "end", gelu(b, linear(b, "dead", x, width)), width + 1);
    b.parameter("nowhere", [widthOf(x), width], normal);
    return x;
  },

  /** Each token sees the one before it: a pad and a gather along the tokens. */
  shifted(b: Builder, x: Value, _: object) {
    const tokens = tokensOf(x);
    const before = slice(b, pad(b, x, 1, 1, 0), 1, 0, tokens);
    const order = b.indices(
      "order",
      [tokens],
      Array.from({ length: tokens }, (_, i) => tokens - 1 - i),
    );
    return add(b, before, linear(b, "mix", gather(b, x, order, 1), widthOf(x)));
  },
};

/** Adds to x what becomes of some channels and of the same channels moved. */
function met(b: Builder, x: Value, hidden: Value, moved: Value, how: Meets): Value {
  const width = widthOf(x);
  if (how === "sum") return add(b, x, linear(b, "down", mul(b, gelu(b, hidden), moved), width));
  const other = linear(b, how === "shared" ? "down" : "other", moved, width);
  return add(b, x, add(b, linear(b, "down", hidden, width), other));
}

const uneven: Initializer = (shape, random) => Float32Array.from({ length: shape[0]! }, () => 0.5 + random());

function norm(b: Builder, name: string, x: Value): Value {
  const width = x.shape.at(-1) as number;
  const weight = b.parameter(`${name}.weight`, [width], uneven);
  return layerNormalization(b, x, weight, b.parameter(`${name}.bias`, [width], normal));
}

function linear(b: Builder, name: string, x: Value, to: number): Value {
  const from = x.shape.at(-1) as number;
  const weight = b.parameter(`${name}.weight`, [to, from], uniformFanIn(from));
  const bias = b.parameter(`${name}.bias`, [to], to % 2 === 0 ? normal : filled(0.3));
  return add(b, matMul(b, x, swapAxes(b, weight, 0, 1)), bias);
}
