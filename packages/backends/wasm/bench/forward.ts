/**
 * Forward passes at several densities, alternating in one process: `pnpm --filter @espalier/backend-wasm bench
 * iTransformer 1 [tfjs] [plain]`. Ratios are what counts; each is of the fastest tenth of runs, so that what else the
 * machine does weighs little.
 */
import { tfjs } from "@espalier/backend-tfjs";
import type { Backend } from "@espalier/core";
import { wasm } from "../src/index.ts";
import { type BenchModel, benchModels, inputsFor, quantile, type Sparsity, sparsified } from "./models.ts";

const [, , name = "iTransformer", batchText = "1", ...flags] = process.argv;
const batchSize = Number(batchText);
const model = benchModels[name as BenchModel]();
const inputs = inputsFor(model, batchSize);

const variants: readonly Sparsity[] = [
  { amount: 0, block: 1 },
  ...[0.5, 0.7, 0.8, 0.9, 0.95].map((amount) => ({ amount, block: 1 as const })),
  ...([2, 4] as const).flatMap((block) => [0.5, 0.8].map((amount) => ({ amount, block }))),
];

interface Contender {
  readonly label: string;
  readonly compile: number;
  readonly run: () => Promise<unknown>;
  readonly times: number[];
}

async function contender(label: string, backend: Backend, sparsity: Sparsity): Promise<Contender> {
  const state = await backend.createState(sparsified(model, sparsity));
  const start = performance.now();
  const program = await backend.compile(model.graph, { state, batch: [batchSize] });
  const compile = performance.now() - start;
  return { label, compile, run: () => program.run(inputs), times: [] };
}

const simd = flags.includes("plain") ? "plain" : "relaxed";
const contenders: Contender[] = [];
for (const sparsity of variants) {
  const { amount, block } = sparsity;
  const label = amount === 0 ? "dense" : `${100 * amount} %${block === 1 ? "" : ` in ${block}×1 blocks`}`;
  contenders.push(await contender(label, wasm({ simd }), sparsity));
}
if (flags.includes("tfjs"))
  contenders.push(await contender("tfjs-wasm", tfjs({ kind: "wasm" }), variants[0]!));

const once = async ({ run }: Contender) => {
  const start = performance.now();
  await run();
  return performance.now() - start;
};
for (const one of contenders) await once(one);
const rounds = Math.max(12, Math.min(150, Math.round(1000 / (await once(contenders[0]!)))));
for (let round = 0; round < rounds; round++) {
  for (const one of contenders) one.times.push(await once(one));
}
const dense = quantile(contenders[0]!.times, 0.1);
console.log(`${name}, batch ${batchSize}, ${simd} SIMD, ${rounds} rounds`);
for (const { label, times, compile } of contenders) {
  const time = quantile(times, 0.1);
  const ratio = (dense / time).toFixed(2).padStart(6);
  console.log(
    `  ${label.padEnd(20)} ${time.toFixed(3).padStart(9)} ms ${ratio} × dense   compiled in ${compile.toFixed(0)} ms`,
  );
}
