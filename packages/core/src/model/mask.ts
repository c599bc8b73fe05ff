import { countElements } from "../graph/extent.ts";

/** Which elements of a tensor are kept: a bitset in row-major order, lowest bit first; 1 keeps. */
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

/** Whether a mask keeps an element, counted row-major. */
export function isKept(mask: Mask, index: number): boolean {
  return ((mask.bits[index >> 3]! >> (index & 7)) & 1) === 1;
}

/** Number of elements kept. Bits behind the last element must be 0, as `maskFrom` writes them. */
export function keptCount(mask: Mask): number {
  let count = 0;
  for (let byte of mask.bits) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}

/** Kept by both. */
export function intersect(a: Mask, b: Mask): Mask {
  return { shape: a.shape, bits: a.bits.map((byte, i) => byte & b.bits[i]!) };
}

/** Zero where the mask does not keep. */
export function applyMask(data: Float32Array, mask: Mask): Float32Array {
  const kept = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) if (isKept(mask, i)) kept[i] = data[i]!;
  return kept;
}

/** 1 where kept, 0 elsewhere: the form a backend computes with. */
export function maskValues(mask: Mask): Float32Array {
  return Float32Array.from({ length: countElements(mask.shape) }, (_, i) => (isKept(mask, i) ? 1 : 0));
}
