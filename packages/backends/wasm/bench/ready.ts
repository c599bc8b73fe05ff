/**
 * How soon a model file is ready to run, dense and with 90 % zeros: decoding, its state, compiling for batch 1. Alternating in
 * one process, the fastest of some rounds: `node --conditions=@espalier/source bench/ready.ts [rounds]`.
 */
import { decodeModel, encodeModel } from "@espalier/formats";
import { wasm } from "../src/index.ts";
import { benchModels, pruned } from "./models.ts";

const rounds = Number(process.argv[2] ?? 20);
const backend = wasm();
const dense = benchModels.iTransformer();
const files = {
  dense: encodeModel(dense),
  "90 % zeros": encodeModel(pruned(dense, { amount: 0.9, block: 1 })),
};
const stages = ["decode", "state", "compile"] as const;
const fastest = new Map(Object.keys(files).map((name) => [name, stages.map(() => Number.POSITIVE_INFINITY)]));
for (let round = 0; round < rounds; round++) {
  for (const [name, file] of Object.entries(files)) {
    const times = [performance.now()];
    const model = decodeModel(file);
    times.push(performance.now());
    const state = await backend.createState(model.tensors);
    times.push(performance.now());
    await backend.compile(model.graph, { state, batch: [1] });
    times.push(performance.now());
    state.dispose();
    const best = fastest.get(name)!;
    stages.forEach((_, i) => {
      best[i] = Math.min(best[i]!, times[i + 1]! - times[i]!);
    });
  }
}
for (const [name, best] of fastest) {
  const list = stages.map((stage, i) => `${stage} ${best[i]!.toFixed(1)} ms`).join(", ");
  console.log(`${name.padEnd(10)} ${list}`);
}
const [whole, sparse] = [...fastest.values()] as [number[], number[]];
const sum = ([decode, , compile]: number[]) => decode! + compile!;
console.log(`decode and compile: ${(sum(sparse) / sum(whole)).toFixed(2)} × the dense model's time`);
