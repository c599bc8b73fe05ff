import type { Call } from "../../compile/call.ts";
import type { KernelName } from "../../modules/names.ts";
import { cut, longestShare } from "./cut.ts";
import { changed, constantsAt, type Divider, type Surroundings, withConstants } from "./divider.ts";

/** An axis that a product can be cut along: which of its numbers is the extent, and what moves with it. */
interface Axis {
  /** Among the call's constants. */
  readonly extent: number;
  readonly grain: number;
  /** Bytes from one position to the next, by argument. */
  readonly moves: Readonly<Record<number, number>>;
}

/** Along the axis whose longest part is shortest; of several, the first. */
function divideAlong(
  call: Call,
  dims: number,
  axes: readonly Axis[],
  parts: number,
  surroundings: Surroundings,
  size: number,
): readonly Call[] {
  const at = constantsAt(call, dims);
  const numbers = surroundings.constants.slice(at, at + size);
  const share = ({ extent, grain }: Axis) => longestShare(numbers[extent]!, parts, grain);
  const best = axes.reduce((found, axis) => (share(axis) < share(found) - 0.02 ? axis : found));
  return cut(numbers[best.extent]!, parts, best.grain).map(([start, end]) => {
    const part = withConstants(call, dims, numbers.with(best.extent, end - start), surroundings);
    const moves = Object.entries(best.moves).map(([i, bytes]) => [i, start * bytes] as const);
    return changed(call, { [dims]: part }, Object.fromEntries(moves));
  });
}

/** Numbers that `product` reads (dense.ts), and `attention` (attention.ts). */
const productSize = 20;
const attentionSize = 19;

const product: Divider = {
  cost(call, { constants }) {
    const [M, N, K, , , , , , e0, , , , e1, , , , e2] = numbersOf(call, 0, productSize, constants);
    return M! * N! * K! * e0! * e1! * e2! * 0.06;
  },
  divide(call, parts, surroundings) {
    const numbers = numbersOf(call, 0, productSize, surroundings.constants);
    const [M, N, , ams, , , bns, cms] = numbers as [number, number, ...number[]];
    const batch = [8, 12, 16].map((extent): Axis => {
      const [a, b, c] = numbers.slice(extent + 1, extent + 4) as [number, number, number];
      return { extent, grain: 1, moves: { 1: a, 2: b, 3: c } };
    });
    const rows: Axis = { extent: 0, grain: surroundings.panelRows, moves: { 1: ams!, 3: cms! } };
    const columns: Axis = { extent: 1, grain: 8, moves: { 2: bns!, 3: 4 } };
    // What is not cut is packed by every part: cut the longer one.
    const matrix = M >= N ? [rows, columns] : [columns, rows];
    return divideAlong(call, 0, [...batch, ...matrix], parts, surroundings, productSize);
  },
};

const attention: Divider = {
  cost(call, { constants }) {
    const [L, S, C, CV, heads, sequences] = numbersOf(call, 0, attentionSize, constants);
    return L! * S! * heads! * sequences! * ((C! + CV!) * 0.04 + 0.6);
  },
  divide(call, parts, surroundings) {
    const numbers = numbersOf(call, 0, attentionSize, surroundings.constants);
    const strides = (from: number) =>
      Object.fromEntries([1, 2, 3, 4].map((argument, i) => [argument, numbers[from + 3 * i]!]));
    const axes: Axis[] = [
      { extent: 5, grain: 1, moves: strides(7) },
      { extent: 4, grain: 1, moves: strides(6) },
      // Eight queries at a time.
      { extent: 0, grain: 8, moves: { 1: 4, 4: 4 } },
    ];
    return divideAlong(call, 0, axes, parts, surroundings, attentionSize);
  },
};

function numbersOf(call: Call, at: number, size: number, constants: readonly number[]): number[] {
  const from = constantsAt(call, at);
  return constants.slice(from, from + size);
}

export const productDividers: Partial<Record<KernelName, Divider>> = { product, attention };
