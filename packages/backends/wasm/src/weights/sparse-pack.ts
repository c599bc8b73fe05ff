import type { Call } from "../compile/call.ts";
import type { Heap } from "../memory/heap.ts";
import type { SparseFormat } from "./format.ts";
import type { WeightSource } from "./weight-source.ts";

/** A weight's nonzero blocks, row by row, rows with few of them first. */
export interface SparsePack {
  readonly format: SparseFormat;
  /** Rows of blocks. */
  readonly count: number;
  /** Values in all. */
  readonly values: number;
  /** How many blocks lie before each row of blocks, and behind the last. */
  readonly rowStarts: Int32Array;
  readonly bytes: number;
  /** The call that takes over new values; none where a tensor is written from outside only. */
  readonly refreshCall: Call | undefined;
  readonly address: {
    /** For each row of blocks: bytes of its values, byte offset of its output, of its bias, outputs in it. */
    readonly rows: number;
    /** For each block: byte offset of its input. */
    readonly offsets: number;
    readonly values: number;
    /** For each value: byte offset in the tensor's matrix, or in what a mask leaves of it. 0 where not kept. */
    readonly sources: number;
  };
  dispose(): void;
}

/** Elements from one feature to the next, of a product's input and output. */
export interface Pitches {
  readonly x: number;
  readonly y: number;
}

/** The packed weight that training changes instead of a tensor. */
export interface MaskedValues {
  /** Makes n byte offsets in the tensor, `by` bytes behind its beginning, ones from the address that it gives on. */
  adopt(offsets: number, n: number, by: number): number;
}

export interface SparseOptions {
  /** The matrix whose nonzero elements are the pattern: the weight itself, or its mask. */
  readonly address: number;
  /** Blocks in each row of them. */
  readonly sizes: Int32Array;
  /** Training takes new values over in every step. */
  readonly keepsSources: boolean;
  /** Where new values come from, if not from the tensor. */
  readonly masked?: MaskedValues | undefined;
}

export const blockRows: Readonly<Record<SparseFormat, number>> = { rows: 1, pairs: 2, quads: 4 };

/** How many blocks with a nonzero element each row of blocks of a matrix has, by format: the weight itself, or its mask. */
export function countBlocks(
  heap: Heap,
  { slot, N, K, ns, ks }: WeightSource,
  address: number,
): Readonly<Record<SparseFormat, Int32Array>> {
  const [pairs, quads] = [Math.ceil(N / 2), Math.ceil(N / 4)];
  const at = heap.allocate(4 * (N + pairs + quads), `packing tensor "${slot.name}"`);
  heap.kernels.countBlocks(N, K, address, ns, ks, at);
  const counts = heap.integers(at, N + pairs + quads).slice();
  heap.free(at);
  return {
    rows: counts.subarray(0, N),
    pairs: counts.subarray(N, N + pairs),
    quads: counts.subarray(N + pairs),
  };
}

export const sumOf = (counts: Int32Array): number => counts.reduce((sum, count) => sum + count, 0);

/**
 * Packs a sparse matrix for activations whose features lie a pitch apart. Rows are sorted by their number of
 * blocks, so that the processor foresees when a row ends: −15…19 % time for iTransformer at batch 1 and 90 % zeros.
 */
export function packSparse(
  heap: Heap,
  source: WeightSource,
  format: SparseFormat,
  { x: xPitch, y: yPitch }: Pitches,
  options: SparseOptions,
): SparsePack {
  const { slot, N, K, ns, ks } = source;
  const { kernels } = heap;
  const what = `packing tensor "${slot.name}"`;
  const rows = blockRows[format];
  const count = Math.ceil(N / rows);
  const { sizes, keepsSources, masked } = options;
  const blocks = sumOf(sizes);
  const order = Int32Array.from(sizes.keys()).sort((a, b) => sizes[a]! - sizes[b]! || a - b);

  const rowsAt = heap.allocate(16 * count, what);
  // The kernel writes one block beyond the last.
  const offsets = heap.allocate(4 * (blocks + 1), what);
  const values = heap.allocate(4 * (blocks + 1) * rows, what);
  const sources = keepsSources ? heap.allocate(4 * (blocks + 1) * rows, what) : 0;
  // What blocks at the lower edge have too much of is zero, or repeats a zero of the pattern's first weight: never stored.
  let at = 0;
  const table = new Int32Array(4 * count);
  const rowStarts = new Int32Array(count + 1);
  for (const [i, block] of order.entries()) {
    const n = block * rows;
    const inIt = Math.min(rows, N - n);
    const from = n * ns;
    const to = (keepsSources ? sources : values) + 4 * rows * at;
    kernels.fillBlocks(
      ...[inIt, rows, K, options.address + from, ns, ks, from, 4 * xPitch, keepsSources ? 1 : 0],
      ...[offsets + 4 * at, to],
    );
    table.set([4 * rows * sizes[block]!, 4 * n * yPitch, 4 * n, inIt], 4 * i);
    at += sizes[block]!;
    rowStarts[i + 1] = at;
  }
  heap.integers(rowsAt, 4 * count).set(table);
  const from = masked?.adopt(sources, blocks * rows, source.offset) ?? slot.address + source.offset;
  const gather = [blocks * rows, from, sources, values] as const;
  if (keepsSources) kernels.gatherValues(...gather);
  return {
    format,
    count,
    values: blocks * rows,
    rowStarts,
    bytes: 16 * count + 4 * blocks * (rows + 1) + (keepsSources ? 4 * blocks * rows : 0),
    refreshCall: keepsSources ? { kernel: "gatherValues", args: gather } : undefined,
    address: { rows: rowsAt, offsets, values, sources },
    dispose() {
      for (const address of [rowsAt, offsets, values]) heap.free(address);
      if (keepsSources) heap.free(sources);
    },
  };
}
