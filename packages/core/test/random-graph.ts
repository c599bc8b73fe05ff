import {
  add,
  Builder,
  batch,
  concat,
  type Drawing,
  filled,
  gelu,
  matMul,
  normal,
  reduceMean,
  relu,
  reshape,
  scale,
  slice,
  softmax,
  swapAxes,
  transpose,
  uniformFanIn,
  type Value,
} from "@espalier/core";
import fc from "fast-check";

/** One block of a random network over x [batch, tokens, width]. */
export type Block =
  | { readonly kind: "linear"; readonly width: number }
  | { readonly kind: "feedForward"; readonly width: number; readonly activation: "gelu" | "relu" }
  | {
      readonly kind: "attention";
      readonly heads: number;
      readonly channels: number;
      readonly valueChannels: number;
    }
  | { readonly kind: "joined"; readonly left: number; readonly right: number; readonly swap: boolean }
  | { readonly kind: "packed"; readonly part: number }
  | { readonly kind: "merge" }
  | { readonly kind: "meanGate" };

export interface Network {
  readonly tokens: number;
  readonly input: number;
  readonly width: number;
  readonly blocks: readonly Block[];
  readonly head: "linear" | "flatten";
}

const size = fc.integer({ min: 2, max: 5 });

const block: fc.Arbitrary<Block> = fc.oneof(
  fc.record({ kind: fc.constant("linear" as const), width: fc.integer({ min: 2, max: 7 }) }),
  fc.record({
    kind: fc.constant("feedForward" as const),
    width: fc.integer({ min: 2, max: 9 }),
    activation: fc.constantFrom("gelu" as const, "relu" as const),
  }),
  fc.record({ kind: fc.constant("attention" as const), heads: size, channels: size, valueChannels: size }),
  fc.record({ kind: fc.constant("joined" as const), left: size, right: size, swap: fc.boolean() }),
  fc.record({ kind: fc.constant("packed" as const), part: size }),
  fc.constant({ kind: "merge" as const }),
  fc.constant({ kind: "meanGate" as const }),
);

export const network: fc.Arbitrary<Network> = fc.record({
  tokens: fc.constantFrom(4, 8),
  input: size,
  width: fc.integer({ min: 2, max: 7 }),
  blocks: fc.array(block, { minLength: 1, maxLength: 4 }),
  head: fc.constantFrom("linear" as const, "flatten" as const),
});

/** Draws a random network: what dimension inference has to understand without being told. */
export function drawNetwork({ tokens, input, width, blocks, head }: Network): Drawing {
  const b = Builder.create();
  let x = linear(b, "embed", b.input("x", [batch, tokens, input]), width);
  blocks.forEach((one, i) => {
    x = drawBlock(b.scope(`b${i}`), one, x);
  });
  if (head === "flatten") {
    const [, t, w] = x.shape as [unknown, number, number];
    x = reshape(b, swapAxes(b, x, 1, 2), [batch, t * w]);
  }
  b.output("y", linear(b, "head", x, 3));
  return b.build();
}

function drawBlock(b: Builder, block: Block, x: Value): Value {
  const tokens = x.shape[1] as number;
  const width = x.shape[2] as number;
  switch (block.kind) {
    case "linear":
      return linear(b, "fc", x, block.width);
    case "feedForward": {
      const hidden = linear(b, "up", x, block.width);
      return add(
        b,
        x,
        linear(b, "down", block.activation === "gelu" ? gelu(b, hidden) : relu(b, hidden), width),
      );
    }
    case "attention": {
      const { heads, channels, valueChannels } = block;
      const split = (name: string, c: number) =>
        transpose(b, reshape(b, linear(b, name, x, heads * c), [batch, tokens, heads, c]), [0, 2, 1, 3]);
      const scores = matMul(b, split("q", channels), swapAxes(b, split("k", channels), -1, -2));
      const mixed = matMul(b, softmax(b, scale(b, scores, 0.5), -1), split("v", valueChannels));
      const flat = reshape(b, transpose(b, mixed, [0, 2, 1, 3]), [batch, tokens, heads * valueChannels]);
      return add(b, x, linear(b, "out", flat, width));
    }
    case "joined": {
      const parts = [linear(b, "left", x, block.left), relu(b, linear(b, "right", x, block.right))];
      return linear(b, "join", concat(b, block.swap ? parts.reverse() : parts, 2), width);
    }
    case "packed": {
      const packed = linear(b, "packed", x, 2 * block.part);
      const first = slice(b, packed, 2, 0, block.part);
      const second = gelu(b, slice(b, packed, 2, block.part, 2 * block.part));
      return linear(b, "unpack", add(b, first, second), width);
    }
    case "merge": {
      if (tokens % 2 !== 0) return x;
      return linear(b, "merge", reshape(b, x, [batch, tokens / 2, 2 * width]), width);
    }
    case "meanGate":
      return add(
        b,
        x,
        linear(b, "gate", reduceMean(b, relu(b, linear(b, "inner", x, width + 1)), [2], true), width),
      );
  }
}

function linear(b: Builder, name: string, x: Value, to: number): Value {
  const from = x.shape.at(-1) as number;
  const weight = b.parameter(`${name}.weight`, [to, from], uniformFanIn(from));
  const bias = b.parameter(`${name}.bias`, [to], to % 2 === 0 ? normal : filled(0.3));
  return add(b, matMul(b, x, swapAxes(b, weight, 0, 1)), bias);
}
