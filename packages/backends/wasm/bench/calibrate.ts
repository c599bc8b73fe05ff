/**
 * Measures what each weight format costs and writes the cost model's constants to src/weights/calibration.ts:
 * `pnpm --filter @espalier/backend-wasm calibrate`. Random matrices of layer-like sizes, each kernel alone, the fastest
 * tenth of its runs; then least squares of relative errors.
 */
import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { countsOf } from "../src/weights/cost.ts";
import { type Format, formats, type Rates } from "../src/weights/format.ts";
import { blockRows, packSparse } from "../src/weights/sparse-pack.ts";
import { heap, measure, patternOf, room, timeProduct, weight } from "./products.ts";

const { kernels } = heap;
const sizes = [
  { N: 512, K: 512 },
  { N: 128, K: 256 },
] as const;
/** Odd ones, too, so that vectors and passes are no multiples of each other. */
const vectorCounts = [2, 3, 5, 6, 24, 72];

/** Counts that a cost is linear in, and the nanoseconds they took. */
interface Sample {
  readonly counts: readonly number[];
  readonly time: number;
}

function sample(format: Format, N: number, K: number, density: number, vectors: number): Sample {
  const rows = format === "panels" ? 1 : blockRows[format];
  const source = weight(N, K, format === "panels" ? 1 : density, rows);
  const { time, values } = timeProduct(source, format, vectors);
  heap.free(source.slot.address);
  const pattern = { N, K, nonzero: values, pairs: values / 2, quads: values / 4 };
  return { counts: countsOf(format, pattern, vectors, kernels.panelRows()), time };
}

/** The gradient of a weight with `density` of its elements, masked or whole. */
function gradientSample(kind: "masked" | "dense", density: number, vectors: number): Sample {
  const [N, K] = [256, 256];
  const tokens = 4 * vectors;
  const [x, y] = [room(K * tokens), room(N * tokens)];
  const source = weight(N, K, density, 1);
  const pack = packSparse(heap, source, "rows", { x: tokens, y: tokens }, patternOf(source, "rows", true));
  const { rows, offsets, values } = pack.address;
  const [panels, turned, out] = [room((N + 6) * tokens), room(K * tokens), room(N * K)];
  const strip = room(32 * tokens);
  // Tokens of x become rows, as a plan does it: { rank, extent, strides of y and x } for both axes.
  const dims = heap.allocate(64, "calibration");
  heap.integers(dims, 11).set([2, tokens, 4 * K, 4, 0, 0, K, 4, 4 * tokens, 0, 0]);
  const time = measure(() => {
    if (kind === "masked") kernels.maskedGradient(pack.count, rows, offsets, y, x, tokens, values);
    else {
      kernels.transposed(dims, turned, x);
      kernels.packPanels(N, tokens, y, 4 * tokens, 4, panels);
      kernels.dense(K / 4, N, tokens, turned, 4 * K, panels, 0, out, 4 * K, 0, strip);
    }
  });
  const count = kind === "masked" ? pack.values : N * K;
  pack.dispose();
  for (const address of [x, y, panels, turned, out, strip, dims, source.slot.address]) heap.free(address);
  return { counts: [count * vectors, count], time };
}

/** Coefficients with the least squares of relative errors; none below zero. */
function fit(samples: readonly Sample[]): number[] {
  const size = samples[0]!.counts.length;
  const free = new Set(Array.from({ length: size }, (_, i) => i));
  for (;;) {
    const list = [...free];
    const solution = solve(
      list.map((i) => list.map((j) => sum(samples, (s) => (s.counts[i]! * s.counts[j]!) / s.time ** 2))),
      list.map((i) => sum(samples, (s) => s.counts[i]! / s.time)),
    );
    const negative = list.find((_, at) => solution[at]! < 0);
    if (negative === undefined) {
      return Array.from({ length: size }, (_, i) => (free.has(i) ? solution[list.indexOf(i)]! : 0));
    }
    free.delete(negative);
  }
}

function sum(samples: readonly Sample[], of: (sample: Sample) => number): number {
  return samples.reduce((total, one) => total + of(one), 0);
}

function solve(matrix: number[][], right: number[]): number[] {
  const n = right.length;
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const factor = rows[j]![i]! / rows[i]![i]!;
      for (let k = i; k <= n; k++) rows[j]![k]! -= factor * rows[i]![k]!;
    }
  }
  const result = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let rest = rows[i]![n]!;
    for (let k = i + 1; k < n; k++) rest -= rows[i]![k]! * result[k]!;
    result[i] = rest / rows[i]![i]!;
  }
  return result;
}

const round = (value: number) => Number(value.toPrecision(3));
const rates = {} as Record<Format, Rates>;
for (const format of formats) {
  const samples: Sample[] = [];
  for (const { N, K } of sizes) {
    for (const vectors of vectorCounts) {
      for (const density of format === "panels" ? [1] : [0.05, 0.1, 0.3, 0.6]) {
        samples.push(sample(format, N, K, density, vectors));
      }
    }
  }
  const [perVector, perBlock, perRow] = fit(samples).map(round) as [number, number, number];
  rates[format] = { perVector, perBlock, perRow };
  const errors = samples.map(
    ({ counts, time }) => (counts[0]! * perVector + counts[1]! * perBlock + counts[2]! * perRow) / time - 1,
  );
  const worst = Math.max(...errors.map(Math.abs));
  console.log(
    format,
    rates[format],
    `worst error ${(100 * worst).toFixed(0)} % of ${samples.length} samples`,
  );
}
const gradients = {} as Record<"masked" | "dense", Pick<Rates, "perVector" | "perBlock">>;
for (const kind of ["masked", "dense"] as const) {
  const samples = [8, 24, 56, 200].flatMap((vectors) => [
    gradientSample(kind, 0.1, vectors),
    gradientSample(kind, 0.4, vectors),
  ]);
  const [perVector, perBlock] = fit(samples).map(round) as [number, number];
  gradients[kind] = { perVector, perBlock };
  console.log(`${kind} gradient`, gradients[kind]);
}
const write = (value: object) =>
  JSON.stringify(value).replaceAll('"', "").replaceAll(":", ": ").replaceAll(",", ", ");
await writeFile(
  new URL("../src/weights/calibration.ts", import.meta.url),
  `import type { Format, Rates } from "./format.ts";

/** Nanoseconds, written by bench/calibrate.ts: do not edit. Only their ratios matter, which differ little between machines. */
export const calibration: {
  readonly machine: string;
  readonly date: string;
  readonly rates: Readonly<Record<Format, Rates>>;
  /** Each weight's gradient, alone where a mask is open, or of all weights in one product. */
  readonly gradients: Readonly<Record<"masked" | "dense", Pick<Rates, "perVector" | "perBlock">>>;
} = {
  machine: "${cpus()[0]!.model.trim()}, Node ${process.versions.node}, relaxed SIMD",
  date: "${new Date().toISOString().slice(0, 10)}",
  rates: {
${formats.map((format) => `    ${format}: ${write(rates[format])},`).join("\n")}
  },
  gradients: { masked: ${write(gradients.masked)}, dense: ${write(gradients.dense)} },
};
`,
);
