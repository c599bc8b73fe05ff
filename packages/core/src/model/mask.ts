import { countElements } from "../graph/extent.ts";

/** The kept elements of a tensor: a bitset in row-major order, lowest bit first; 1 keeps. */
export interface Mask {
  readonly shape: readonly number[];
  readonly bits: Uint8Array;
}

/** The mask of a shape that keeps the elements for which `keep` holds. */
export function maskFrom(shape: readonly number[], keep: (index: number) => boolean): Mask {
  const size = countElements(shape);
  const bits = new Uint8Array(Math.ceil(size / 8));
  for (let i = 0; i < size; i++) if (keep(i)) bits[i >> 3]! |= 1 << (i & 7);
  return { shape, bits };
}

/** Whether a mask keeps an element, counted in row-major order. */
export function isKept(mask: Mask, index: number): boolean {
  return ((mask.bits[index >> 3]! >> (index & 7)) & 1) === 1;
}

/** Ones in each byte. */
const ones = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

/** Number of kept elements. Bits after the last element must be 0, as `maskFrom` writes them. */
export function keptCount({ bits }: Mask): number {
  let count = 0;
  for (let i = 0; i < bits.length; i++) count += ones[bits[i]!]!;
  return count;
}

/** The mask of elements that both keep. */
export function intersect(a: Mask, b: Mask): Mask {
  return { shape: a.shape, bits: a.bits.map((byte, i) => byte & b.bits[i]!) };
}

/** The data with zeros where the mask does not keep. */
export function applyMask(data: Float32Array, { bits }: Mask): Float32Array {
  const kept = new Float32Array(data.length);
  for (let at = 0, i = 0; i < data.length; at++, i += 8) {
    // Lowest bit first: each step of the loop clears one bit.
    for (let byte = bits[at]!, j = i; byte !== 0; byte >>= 1, j++) if (byte & 1) kept[j] = data[j]!;
  }
  return kept;
}

/** Numbers in any form that files store. */
type Numbers = Float32Array | Int32Array | Int8Array | Uint16Array;

/** The kept elements, one after the other. */
export function gatherKept<T extends Numbers>(data: T, mask: Mask): T {
  return data.filter((_, i) => isKept(mask, i)) as T;
}

/** The reverse of {@link gatherKept}; zeros where the mask does not keep. */
export function spreadKept<T extends Numbers>(values: T, { shape, bits }: Mask): T {
  const data = new (values.constructor as new (length: number) => T)(countElements(shape));
  for (let at = 0, next = 0; at < bits.length; at++) {
    for (let byte = bits[at]!, i = 8 * at; byte !== 0; byte >>= 1, i++)
      if (byte & 1) data[i] = values[next++]!;
  }
  return data;
}

/** Whether every element that the mask does not keep is 0. */
export function isZeroElsewhere(data: Float32Array, { bits }: Mask): boolean {
  for (let i = 0; i < data.length; i++)
    if (data[i] !== 0 && ((bits[i >> 3]! >> (i & 7)) & 1) === 0) return false;
  return true;
}

/** 1 for kept elements, 0 for others: the form that backends compute with. */
export function maskValues(mask: Mask): Float32Array {
  return Float32Array.from({ length: countElements(mask.shape) }, (_, i) => (isKept(mask, i) ? 1 : 0));
}
