import {
  add,
  concat,
  gather,
  mul,
  printShape,
  reshape,
  type Shape,
  slice,
  sub,
  type Value,
} from "@espalier/core/graph";
import { partOf } from "../arrays.ts";
import { type Call, indexValue, input, lift, positionsOf, type Rule, shapeOf, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { isKnown } from "../items.ts";
import { plainNumbers } from "../known.ts";
import { sliceAlong } from "../layout.ts";
import { ofOneSample } from "../repeated.ts";

/**
 * Rotary position embeddings (Su et al., 2021) as one node, of opset 23 and later: each pair of a head's channels is
 * turned by an angle that grows with the position.
 */

const positionIds = 3;

/** Cosines or sines of a node, [batch or 1, tokens, pairs]: given as such, or looked up by the tokens' positions. */
function table(call: Call, i: number, lead: Shape): Value {
  const { b, inputs } = call;
  const given = input(call, i);
  const own = { as: "statistic" } as const;
  if (inputs[positionIds] === undefined)
    return lift(call, ofOneSample(call, given, [...lead, shapeOf(given).at(-1)!]), own);
  const indices = ofOneSample(call, input(call, positionIds), lead);
  const [rows, pairs] = shapeOf(given) as readonly [number, number];
  if (!isKnown(indices)) return gather(b, lift(call, given, own), lift(call, indices), 0);
  const positions = positionsOf(plainNumbers(indices), rows);
  const picked = isKnown(given)
    ? lift(call, partOf(given, 0, positions), own)
    : gather(b, lift(call, given), indexValue(call, [positions.length], positions), 0);
  return reshape(b, picked, [...indices.shape, pairs]);
}

const rotaryEmbedding: Rule = (call) => {
  const { b, attributes } = call;
  const whole = valueInput(call, 0);
  const heads = attributes.int("num_heads", 0);
  const interleaved = attributes.int("interleaved", 0) !== 0;
  const apart = whole.shape.length === 4;
  if (!apart && !(heads > 0 && (whole.shape[2] as number) % heads === 0))
    throw new UnreadableError(`${printShape(whole.shape)} cannot be divided into ${heads} equal heads`);
  // [batch, heads, tokens, channels], or the heads behind the tokens.
  const [batch, first, second] = whole.shape as [Shape[number], number, number];
  const x = apart ? whole : reshape(b, whole, [batch, first, heads, second / heads]);
  const channels = x.shape[3] as number;
  const turned = attributes.int("rotary_embedding_dim", 0) || channels;
  const lead = x.shape.slice(0, 3);
  const tokens = lead.toSpliced(apart ? 1 : 2, 1);
  const [cos, sin] = [1, 2].map((i) => {
    const values = table(call, i, tokens);
    if (values.shape.length !== 3 || values.shape[2] !== turned / 2 || turned > channels)
      throw new UnreadableError(
        `a table ${printShape(values.shape)} does not fit ${turned} turned channels of ${channels}`,
      );
    return reshape(b, values, values.shape.toSpliced(apart ? 1 : 2, 0, 1));
  }) as [Value, Value];
  const [left, right] = pairsOf(call, sliceAlong(b, x, 3, 0, turned), interleaved);
  const real = sub(b, mul(b, left, cos), mul(b, right, sin));
  const imaginary = add(b, mul(b, left, sin), mul(b, right, cos));
  const joined = interleaved
    ? reshape(
        b,
        concat(
          b,
          [real, imaginary].map((part) => reshape(b, part, [...part.shape, 1])),
          4,
        ),
        [...lead, turned],
      )
    : concat(b, [real, imaginary], 3);
  const rest = turned === channels ? [] : [sliceAlong(b, x, 3, turned, channels)];
  return reshape(b, concat(b, [joined, ...rest], 3), whole.shape);
};

/** The first and the second channel of each pair: neighbours, or in separate halves. */
function pairsOf({ b }: Call, x: Value, interleaved: boolean): [Value, Value] {
  const half = (x.shape[3] as number) / 2;
  if (!interleaved) return [sliceAlong(b, x, 3, 0, half), sliceAlong(b, x, 3, half, 2 * half)];
  const shape = x.shape.with(3, half);
  const pairs = reshape(b, x, [...shape, 2]);
  return [0, 1].map((i) => reshape(b, slice(b, pairs, 4, i, i + 1), shape)) as [Value, Value];
}

export const rotations: Readonly<Record<string, Rule>> = { RotaryEmbedding: rotaryEmbedding };
