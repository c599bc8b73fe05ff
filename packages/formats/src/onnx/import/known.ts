import { countElements } from "@espalier/core/graph";
import { UnreadableError } from "./errors.ts";

/** Type of a known array. Integers of every width are `int`. */
export type Kind = "float" | "int" | "bool";

/** The initialiser that a tensor of weights comes from. */
export interface Source {
  readonly name: string;
  /** Place among the file's initialisers. */
  readonly order: number;
  /** The positions that it was cut to: parts of one initialiser are different tensors. */
  readonly part?: string;
}

/**
 * An array whose numbers are known while the file is read: an initialiser, or the result of a computation with some, or
 * with shapes. Numbers may be multiples of the batch size: element i stands for `data[i] · batch^powers[i]`, a power of
 * −1, 0 or 1.
 */
export interface Known {
  readonly kind: Kind;
  readonly shape: readonly number[];
  readonly data: Float64Array | Float32Array;
  /** Absent if no number depends on the batch size. */
  readonly powers?: Int8Array;
  /** Set for initialisers: used in computations, they become tensors of the model instead of numbers. */
  readonly source?: Source;
}

/** One number: a factor, and the power of the batch size it is multiplied with. */
export type Pair = readonly [factor: number, power: number];

/** Maximum number of elements of a computed array. Masks and tables are far smaller. */
const maxElements = 2 ** 22;

/** Throws an UnreadableError for a requested array that is too large to be useful. */
export function checkElements(shape: readonly number[]): number {
  const size = countElements(shape);
  if (!(size <= maxElements))
    throw new UnreadableError(`a constant of shape [${shape.slice(0, 8).join(", ")}] is too large`);
  return size;
}

export function pairAt({ data, powers }: Known, i: number): Pair {
  return [data[i]!, powers?.[i] ?? 0];
}

/** Builds an array from a function that returns its numbers in row-major order. */
export function build(kind: Kind, shape: readonly number[], at: (i: number) => Pair): Known {
  const size = checkElements(shape);
  const data = new Float64Array(size);
  let powers: Int8Array | undefined;
  for (let i = 0; i < size; i++) {
    const [factor, power] = at(i);
    data[i] = factor;
    if (power === 0) continue;
    powers ??= new Int8Array(size);
    powers[i] = power;
  }
  return { kind, shape, data, ...(powers && { powers }) };
}

/** One axis of integers. */
export function integers(values: readonly number[]): Known {
  return { kind: "int", shape: [values.length], data: Float64Array.from(values) };
}

export function scalar(kind: Kind, value: number): Known {
  return { kind, shape: [], data: Float64Array.of(value) };
}

/** The numbers of an array that does not depend on the batch size. Throws an UnreadableError if it does. */
export function plainNumbers(x: Known): Float64Array | Float32Array {
  if (x.powers?.some((power) => power !== 0)) throw new UnreadableError("it would depend on the batch size");
  return x.data;
}

/** The only number of an array; undefined if there are several, or if it depends on the batch size. */
export function onlyNumber(x: Known): number | undefined {
  return x.data.length === 1 && (x.powers?.[0] ?? 0) === 0 ? x.data[0] : undefined;
}
