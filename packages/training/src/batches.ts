/** Consecutive indices in runs of at most `batchSize`. */
export function* batchesOf(count: number, batchSize: number): Generator<Int32Array> {
  for (let start = 0; start < count; start += batchSize) {
    yield Int32Array.from({ length: Math.min(batchSize, count - start) }, (_, i) => start + i);
  }
}
