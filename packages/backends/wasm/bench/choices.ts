/**
 * How good the cost model's choices are here: random single zeros at several densities, several numbers of tokens, every
 * format timed, and what the chosen one takes beside the fastest. `node --conditions=@espalier/source bench/choices.ts`
 */
import { calibration } from "../src/weights/calibration.ts";
import { chooseFormat } from "../src/weights/cost.ts";
import { formats } from "../src/weights/format.ts";
import { countBlocks } from "../src/weights/sparse-pack.ts";
import { heap, timeProduct, weight } from "./products.ts";

const panelRows = heap.kernels.panelRows();
const sizes = [
  { N: 512, K: 512 },
  { N: 128, K: 128 },
];
const losses: number[] = [];
for (const { N, K } of sizes) {
  for (const density of [0.05, 0.1, 0.2, 0.3, 0.5, 0.65, 0.8]) {
    const source = weight(N, K, density, 1);
    const sum = (counts: Int32Array) => counts.reduce((total, count) => total + count, 0);
    const { rows, pairs, quads } = countBlocks(heap, source, source.slot.address);
    const pattern = { N, K, nonzero: sum(rows), pairs: sum(pairs), quads: sum(quads) };
    for (const tokens of [7, 21, 224, 1344]) {
      const vectors = Math.ceil(tokens / 4);
      const { format: chosen } = chooseFormat(pattern, vectors, panelRows);
      const times = new Map(formats.map((format) => [format, timeProduct(source, format, vectors).time]));
      const [best, time] = [...times].sort(([, a], [, b]) => a - b)[0]!;
      const loss = times.get(chosen)! / time - 1;
      losses.push(loss);
      if (loss > 0.05)
        console.log(
          `${N} × ${K}, density ${density}, ${tokens} tokens: ${chosen}, ${(100 * loss).toFixed(0)} % slower than ${best}`,
        );
    }
    heap.free(source.slot.address);
  }
}
const within = losses.filter((loss) => loss <= 0.05).length;
console.log(
  `rates of ${calibration.machine}: within 5 % of the fastest format in ${within} of ${losses.length} cases, at worst ${(100 * Math.max(...losses)).toFixed(0)} %`,
);
