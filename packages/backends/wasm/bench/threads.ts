/**
 * Two threads against one, small batches, alternating in one process: time, and how much of the processors both take. On a
 * busy machine as on a quiet one two threads must not be slower. `node --conditions=@espalier/source bench/threads.ts [threads]`
 */
import type { Model, Program } from "@espalier/core";
import { wasm } from "../src/index.ts";
import { type BenchModel, benchModels, inputsFor, median, pruned } from "./models.ts";

const threads = Number(process.argv[2] ?? 2);
const subjects: readonly (readonly [BenchModel, number, number])[] = [
  ["iTransformer", 0, 1],
  ["iTransformer", 0.9, 1],
  ["iTransformer", 0.9, 3],
  ["PatchTST", 0, 1],
  ["PatchTST", 0.9, 1],
];
const [rounds, runs] = [40, 20];

async function contender(model: Model, batch: number, count: number) {
  const backend = wasm({ threads: count });
  const state = await backend.createState(model.tensors);
  const program: Program = await backend.compile(model.graph, { state, batch: [batch] });
  return { program, times: [] as number[], processor: 0, dispose: () => state.dispose() };
}

for (const [name, amount, batch] of subjects) {
  const model = pruned(benchModels[name](), { amount, block: 1 });
  const inputs = inputsFor(model, batch);
  const one = await contender(model, batch, 1);
  const several = await contender(model, batch, threads);
  for (let round = 0; round < rounds; round++) {
    for (const who of round % 2 === 0 ? [one, several] : [several, one]) {
      for (let i = 0; i < 3; i++) await who.program.run(inputs);
      const before = process.cpuUsage();
      const start = performance.now();
      for (let i = 0; i < runs; i++) await who.program.run(inputs);
      who.times.push((performance.now() - start) / runs);
      const { user, system } = process.cpuUsage(before);
      who.processor += user + system;
    }
  }
  const speed = median(one.times.map((time, i) => time / several.times[i]!));
  const processor = several.processor / one.processor;
  console.log(
    `${name}, ${100 * amount} % zeros, batch ${batch}: ${median(one.times).toFixed(3)} ms, on ${threads} threads ${speed.toFixed(2)} × as fast, ${processor.toFixed(2)} × the processor time`,
  );
  for (const { dispose } of [one, several]) dispose();
}
