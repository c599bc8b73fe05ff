import { randomStream } from "@espalier/core/graph";
import { Heap } from "../src/memory/heap.ts";
import { packDense } from "../src/weights/dense-pack.ts";
import type { Format, SparseFormat } from "../src/weights/format.ts";
import { countBlocks, packSparse, type SparseOptions } from "../src/weights/sparse-pack.ts";
import type { WeightSource } from "../src/weights/weight-source.ts";
import { quantile } from "./models.ts";

export const heap = await Heap.create("relaxed");
const { kernels } = heap;

/** Nanoseconds of a run: the fastest tenth of those of 60 ms. */
export function measure(run: () => void): number {
  const times: number[] = [];
  const end = performance.now() + 60;
  while (performance.now() < end || times.length < 20) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  return 1e6 * quantile(times, 0.1);
}

export function room(floats: number, value = 1): number {
  const address = heap.allocate(4 * floats, "calibration");
  heap.floats(address, floats).fill(value);
  return address;
}

/** A matrix with a share of random numbers, whole blocks of `rows` outputs at a time, and zeros. */
export function weight(N: number, K: number, density: number, rows: number): WeightSource {
  const address = room(N * K, 0);
  const random = randomStream(1, `${N} ${K} ${density} ${rows}`);
  const data = heap.floats(address, N * K);
  for (let n = 0; n < N; n += rows) {
    for (let k = 0; k < K; k++) {
      if (random() < density) for (let i = n; i < n + rows; i++) data[i * K + k] = random() - 0.5;
    }
  }
  const slot = {
    name: "calibration",
    dtype: "float32",
    shape: [N, K],
    length: N * K,
    address,
    version: 0,
  } as const;
  return { slot, offset: 0, N, K, ns: 4 * K, ks: 4, pattern: "values" };
}

export function patternOf(source: WeightSource, format: SparseFormat, keepsSources: boolean): SparseOptions {
  const { address } = source.slot;
  return { address, sizes: countBlocks(heap, source, address)[format], keepsSources };
}

/** Nanoseconds of a product with a weight in a format, and the numbers it holds. */
export function timeProduct(
  source: WeightSource,
  format: Format,
  vectors: number,
): { time: number; values: number } {
  const { N, K } = source;
  const pitch = 4 * vectors;
  const [x, y, bias, strip] = [room(K * pitch), room(N * pitch), room(N), room(32 * K)];
  const pack =
    format === "panels"
      ? packDense(heap, source)
      : packSparse(heap, source, format, { x: pitch, y: pitch }, patternOf(source, format, false));
  const time = measure(() => {
    if (pack.format === "panels") {
      const shared = vectors > 2 ? strip : 0;
      kernels.dense(vectors, N, K, x, 4 * pitch, pack.address, bias, y, 4 * pitch, 0, shared);
      return;
    }
    const kernel = { rows: "sparseRows", pairs: "sparsePairs", quads: "sparseQuads" } as const;
    const { rows: table, offsets, values } = pack.address;
    kernels[kernel[pack.format]](vectors, pack.count, x, table, offsets, values, bias, y, 0, 4 * pitch);
  });
  const values = pack.format === "panels" ? N * K : pack.values;
  pack.dispose();
  for (const address of [x, y, bias, strip]) heap.free(address);
  return { time, values };
}
