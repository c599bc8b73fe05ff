import { broadcastShapes } from "@espalier/core/graph";
import { TensorProto_DataType as Type } from "onnx-buf";
import { floatToHalf, halfToFloat } from "../../half.ts";
import { broadcastOffsets } from "./arrays.ts";
import { UnreadableError } from "./errors.ts";
import { build, type Kind, type Known, type Pair, pairAt } from "./known.ts";

/**
 * Element-wise arithmetic of known numbers, including batch sizes. The answer must be the same for any batch of 1 or
 * more.
 */

type Two = (a: Pair, b: Pair, whole: boolean) => Pair;

const dependent = () => new UnreadableError("its result would depend on the batch size");

/** The difference of two numbers, over all batch sizes of 1 or more: [least, largest]. */
function difference([f, p]: Pair, [g, q]: Pair): readonly [number, number] {
  if (p < 0 || q < 0) throw dependent();
  const atOne = f - g;
  const slope = (p === 1 ? f : 0) - (q === 1 ? g : 0);
  return [slope < 0 ? Number.NEGATIVE_INFINITY : atOne, slope > 0 ? Number.POSITIVE_INFINITY : atOne];
}

/** Comparison by the range of a − b; refused if it depends on the batch size. */
function compare(always: (least: number, largest: number) => boolean, never: typeof always): Two {
  return (a, b) => {
    const numbers = a[1] === 0 && b[1] === 0;
    const [least, largest] = numbers ? [a[0] - b[0], a[0] - b[0]] : difference(a, b);
    // Infinities and NaN have no difference, but can be compared.
    if (numbers && !Number.isFinite(least)) {
      const sign = a[0] === b[0] ? 0 : a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : Number.NaN;
      return [always(sign, sign) ? 1 : 0, 0];
    }
    if (always(least, largest)) return [1, 0];
    if (never(least, largest)) return [0, 0];
    throw dependent();
  };
}

const equal = compare(
  (l, h) => l === 0 && h === 0,
  (l, h) => l > 0 || h < 0,
);
const less = compare(
  (_, h) => h < 0,
  (l) => l >= 0,
);
const lessOrEqual = compare(
  (_, h) => h <= 0,
  (l) => l > 0,
);

const plus =
  (sign: number): Two =>
  ([f, p], [g, q]) => {
    if (p === q) return [f + sign * g, p];
    if (f === 0) return [sign * g, q];
    if (g === 0) return [f, p];
    throw dependent();
  };

const times: Two = ([f, p], [g, q]) => {
  if (f === 0 || g === 0) return [f * g, 0];
  if (Math.abs(p + q) > 1) throw dependent();
  return [f * g, p + q];
};

const over: Two = ([f, p], [g, q], whole) => {
  if (p === 0 && q === 0) return [whole ? Math.trunc(f / g) : f / g, 0];
  if (Math.abs(p - q) > 1 || (whole && (!Number.isInteger(f / g) || p < q))) throw dependent();
  return [f / g, p - q];
};

/** Remainder with the divisor's sign, like ONNX's `Mod` for integers. */
const modulo: Two = ([f, p], [g, q]) => {
  if (p === 0 && q === 0) {
    const rest = f % g;
    return [rest !== 0 && rest < 0 !== g < 0 ? rest + g : rest, 0];
  }
  if (q === 0 && f % g === 0) return [0, 0];
  throw dependent();
};

const remainder: Two = (a, b) => {
  if (a[1] === 0 && b[1] === 0) return [a[0] % b[0], 0];
  throw dependent();
};

const larger =
  (sign: number): Two =>
  (a, b) => {
    if (a[1] === 0 && b[1] === 0) return [sign * Math.max(sign * a[0], sign * b[0]), 0];
    const [least, largest] = difference(a, b);
    if (sign > 0 ? least >= 0 : largest <= 0) return a;
    if (sign > 0 ? largest <= 0 : least >= 0) return b;
    throw dependent();
  };

const numbersOnly =
  (f: (a: number, b: number) => number): Two =>
  (a, b) => {
    if (a[1] !== 0 || b[1] !== 0) throw dependent();
    return [f(a[0], b[0]), 0];
  };

const truth = (f: (a: boolean, b: boolean) => boolean) =>
  numbersOnly((a, b) => (f(a !== 0, b !== 0) ? 1 : 0));

const power: Two = (a, b, whole) => numbersOnly((x, y) => (whole ? Math.trunc(x ** y) : x ** y))(a, b, whole);

/** ONNX operators of two arrays, by name. */
export const binaryFolds: ReadonlyMap<string, { readonly of: Two; readonly gives?: Kind }> = new Map(
  Object.entries({
    Add: { of: plus(1) },
    Sub: { of: plus(-1) },
    Mul: { of: times },
    Div: { of: over },
    Mod: { of: modulo },
    Remainder: { of: remainder },
    Pow: { of: power },
    Max: { of: larger(1) },
    Min: { of: larger(-1) },
    Equal: { of: equal, gives: "bool" as const },
    Less: { of: less, gives: "bool" as const },
    LessOrEqual: { of: lessOrEqual, gives: "bool" as const },
    Greater: { of: (a: Pair, b: Pair) => less(b, a, false), gives: "bool" as const },
    GreaterOrEqual: { of: (a: Pair, b: Pair) => lessOrEqual(b, a, false), gives: "bool" as const },
    And: { of: truth((a, b) => a && b), gives: "bool" as const },
    Or: { of: truth((a, b) => a || b), gives: "bool" as const },
    Xor: { of: truth((a, b) => a !== b), gives: "bool" as const },
  }),
);

/** Applies an operator in `binaryFolds` to known arrays, with broadcasting. */
export function foldBinary(name: string, a: Known, b: Known): Known {
  const { of, gives } = binaryFolds.get(name)!;
  const shape = broadcastShapes(a.shape, b.shape) as readonly number[] | undefined;
  if (shape === undefined) throw new UnreadableError("the shapes do not broadcast");
  // A power has the type of its base, whatever the exponent's.
  const kind = gives ?? (name !== "Pow" && b.kind === "float" ? "float" : a.kind);
  const [left, right] = [broadcastOffsets(a.shape, shape), broadcastOffsets(b.shape, shape)];
  const whole = kind === "int";
  return build(kind, shape, (i) => rounded(kind, of(pairAt(a, left[i]!), pairAt(b, right[i]!), whole)));
}

/** Chooses between arrays by the elements of `test`, with broadcasting. */
export function foldWhere(test: Known, yes: Known, no: Known): Known {
  const both = broadcastShapes(yes.shape, no.shape);
  const shape = (both && broadcastShapes(both, test.shape)) as readonly number[] | undefined;
  if (shape === undefined) throw new UnreadableError("the shapes do not broadcast");
  const [at, left, right] = [test, yes, no].map((x) => broadcastOffsets(x.shape, shape));
  return build(yes.kind, shape, (i) =>
    test.data[at![i]!] ? pairAt(yes, left![i]!) : pairAt(no, right![i]!),
  );
}

const roundHalfEven = (x: number) => {
  const rest = x - Math.floor(x);
  return rest === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
};

/** ONNX operators of one array of numbers, by name. */
const unaryFolds: ReadonlyMap<string, { readonly of: (x: number) => number; readonly gives?: Kind }> =
  new Map(
    Object.entries({
      Abs: { of: Math.abs },
      Ceil: { of: Math.ceil },
      Cos: { of: Math.cos },
      Exp: { of: Math.exp },
      Floor: { of: Math.floor },
      IsNaN: { of: (x: number) => (Number.isNaN(x) ? 1 : 0), gives: "bool" as const },
      Log: { of: Math.log },
      Not: { of: (x: number) => (x === 0 ? 1 : 0), gives: "bool" as const },
      Relu: { of: (x: number) => Math.max(x, 0) },
      Round: { of: roundHalfEven },
      Sigmoid: { of: (x: number) => 1 / (1 + Math.exp(-x)) },
      Sign: { of: Math.sign },
      Sin: { of: Math.sin },
      Sqrt: { of: Math.sqrt },
      Tan: { of: Math.tan },
      Tanh: { of: Math.tanh },
    }),
  );

/** Applies an operator of one input to an array of numbers; undefined for an unknown operator. */
export function foldUnary(name: string, x: Known): Known | undefined {
  if (name === "Neg") return mapPairs(x, ([f, p]) => [-f, p]);
  if (name === "Reciprocal") return mapPairs(x, ([f, p]) => [1 / f, -p]);
  const known = unaryFolds.get(name);
  if (known === undefined) return undefined;
  const { of, gives = x.kind } = known;
  const whole = name === "Floor" || name === "Ceil" || name === "Round";
  return mapPairs(
    x,
    ([f, p]) => {
      // Integer multiples of integers are integers.
      if (p !== 0 && !(whole && p === 1 && Number.isInteger(f))) throw dependent();
      return p === 0 ? [of(f), 0] : [f, p];
    },
    gives,
  );
}

function mapPairs(x: Known, f: (pair: Pair) => Pair, kind: Kind = x.kind): Known {
  return build(kind, x.shape, (i) => rounded(kind, f(pairAt(x, i))));
}

/** Converts the numbers to another kind. */
export function castKnown(x: Known, kind: Kind): Known {
  if (kind === x.kind) return x;
  if (kind === "float") return mapPairs(x, (pair) => pair, "float");
  if (kind === "int") return mapPairs(x, ([f, p]) => [p === 0 ? Math.trunc(f) : f, p], "int");
  return mapPairs(x, ([f, p]) => [f === 0 ? 0 : 1, p === 0 || f !== 0 ? 0 : p], "bool");
}

/** An integer type that cannot hold all integers of a model. */
export interface Width {
  readonly bits: number;
  readonly signed: boolean;
}

const widths: ReadonlyMap<number, Width> = new Map([
  [Type.INT8, { bits: 8, signed: true }],
  [Type.UINT8, { bits: 8, signed: false }],
  [Type.INT16, { bits: 16, signed: true }],
  [Type.UINT16, { bits: 16, signed: false }],
]);

/** How many bits a narrow integer type has; undefined for others. */
export function widthOf(type: number): Width | undefined {
  return widths.get(type);
}

/** Integers of a type: those that it cannot hold lose their highest bits. */
export function castToWidth(x: Known, type: number): Known {
  const whole = castKnown(x, "int");
  const width = widthOf(type) ?? (type === Type.UINT32 ? { bits: 32, signed: false } : undefined);
  if (width === undefined) return whole;
  const size = 2 ** width.bits;
  return mapPairs(whole, ([f, p]) => {
    if (p !== 0) throw dependent();
    const rest = ((f % size) + size) % size;
    return [width.signed && rest >= size / 2 ? rest - size : rest, 0];
  });
}

/** Numbers rounded to half precision, or to the first 16 bits of single precision. */
export function castToHalf(x: Known, type: number): Known {
  return mapPairs(
    x,
    ([f, p]) => {
      if (p !== 0) throw dependent();
      return [type === Type.FLOAT16 ? halfToFloat(floatToHalf(f)) : bfloat16(f), 0];
    },
    "float",
  );
}

function bfloat16(value: number): number {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer);
  const even = (bits! >>> 16) & 1;
  return new Float32Array(Uint32Array.of((bits! + 0x7fff + even) & 0xffff0000).buffer)[0]!;
}

/** Floats are single precision, as in the runtime that the file is for; factors of the batch size stay exact. */
function rounded(kind: Kind, [factor, power]: Pair): Pair {
  return kind === "float" && power === 0 ? [Math.fround(factor), 0] : [factor, power];
}

export const pairSum: (a: Pair, b: Pair) => Pair = (a, b) => plus(1)(a, b, false);
export const pairProduct: (a: Pair, b: Pair) => Pair = (a, b) => times(a, b, false);
export const pairMax: (a: Pair, b: Pair) => Pair = (a, b) => larger(1)(a, b, false);
export const pairMin: (a: Pair, b: Pair) => Pair = (a, b) => larger(-1)(a, b, false);
