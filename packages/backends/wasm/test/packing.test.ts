import { randomStream } from "@espalier/core/graph";
import { describe, expect, it } from "vitest";
import { Heap } from "../src/memory/heap.ts";
import type { Slot } from "../src/state.ts";
import { blockRows, countBlocks, packSparse } from "../src/weights/sparse-pack.ts";

const layouts = {
  "rows of neighbours": (_N: number, K: number) => ({ ns: 4 * K, ks: 4 }),
  "columns of neighbours": (N: number) => ({ ns: 4, ks: 4 * N }),
  "every other number": (_N: number, K: number) => ({ ns: 8 * K, ks: 8 }),
};
const sizes = [
  [1, 1],
  [4, 4],
  [7, 9],
  [13, 6],
] as const;

/** A sparse matrix in memory, some of its zeros negative. */
async function matrix(N: number, K: number, { ns, ks }: { ns: number; ks: number }) {
  const heap = await Heap.create("plain");
  const length = (N * ns + K * ks) / 4;
  const slot: Slot = {
    ...{ name: "w", dtype: "float32", shape: [length], length, version: 1 },
    address: heap.allocate(4 * length, "w"),
  };
  const random = randomStream(N, "w");
  const data = heap.floats(slot.address, length).fill(5);
  const at = (n: number, k: number) => (n * ns + k * ks) / 4;
  for (let n = 0; n < N; n++)
    for (let k = 0; k < K; k++) data[at(n, k)] = random() < 0.3 ? random() + 1 : random() < 0.5 ? 0 : -0;
  const read = (n: number, k: number) => (n < N ? heap.floats(slot.address, length)[at(n, k)]! : 0);
  return { heap, source: { slot, offset: 0, N, K, ns, ks, pattern: "values" as const }, read };
}

describe.each(Object.entries(layouts))("a sparse weight as %s", (_name, strides) => {
  it.each(sizes)("of %i × %i is counted and packed by rows, pairs and quads", async (N, K) => {
    const { heap, source, read } = await matrix(N, K, strides(N, K));
    const counts = countBlocks(heap, source, source.slot.address);
    for (const format of ["rows", "pairs", "quads"] as const) {
      const height = blockRows[format];
      const expected = Array.from({ length: Math.ceil(N / height) }, (_, block) =>
        Array.from({ length: K }, (_, k) => k).flatMap((k) => {
          const values = Array.from({ length: height }, (_, i) => read(block * height + i, k));
          return values.some((w) => w !== 0) ? [{ input: 12 * k, values }] : [];
        }),
      );
      expect([...counts[format]]).toEqual(expected.map((blocks) => blocks.length));
      const packed = [false, true].map((keepsSources) => {
        const options = { address: source.slot.address, sizes: counts[format], keepsSources };
        const pack = packSparse(heap, source, format, { x: 3, y: 1 }, options);
        const blocks = pack.rowStarts.at(-1)!;
        const offsets = [...heap.integers(pack.address.offsets, blocks)];
        const values = [...heap.floats(pack.address.values, blocks * height)];
        const table = heap.integers(pack.address.rows, 4 * pack.count);
        const order = Array.from({ length: pack.count }, (_, i) => table[4 * i + 2]! / 4 / height);
        return { offsets, values: values.map(Math.abs), order };
      });
      for (const { offsets, values, order } of packed) {
        const wanted = order.flatMap((block) => expected[block]!);
        expect(offsets).toEqual(wanted.map(({ input }) => input));
        // A row that does not exist may repeat any number: it is never stored.
        const exists = order.flatMap((block) =>
          expected[block]!.flatMap(({ values: all }) => all.map((_, i) => block * height + i < N)),
        );
        const kept = (list: readonly number[]) => list.filter((_, i) => exists[i]);
        expect(kept(values)).toEqual(kept(wanted.flatMap((one) => one.values.map(Math.abs))));
      }
    }
  });
});
