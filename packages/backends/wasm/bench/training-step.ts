/**
 * Cost of a training step: dense on own kernels and on tfjs-wasm, and with masks at several densities. Alternating
 * runs in one process: `node --conditions=@espalier/source bench/training-step.ts iTransformer 32 [0,0.5,0.9] [tfjs]`.
 */

import { tfjs } from "@espalier/backend-tfjs";
import type { Model } from "@espalier/core";
import { drawTrainingStep } from "@espalier/training";
import { wasm } from "../src/index.ts";
import { type BenchModel, benchModels, pruned, quantile, trainingInputs } from "./models.ts";

const [, , name = "iTransformer", batchText = "32", amounts = "0,0.9", peer = "tfjs", rounds = "12"] =
  process.argv;
const batchSize = Number(batchText);
const dense = benchModels[name as BenchModel]();

async function contender(label: string, model: Model, backend = wasm()) {
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const state = await backend.createState(new Map([...model.tensors, ...tensors]));
  const start = performance.now();
  const program = await backend.compile(graph, { state, batch: [batchSize] });
  const compile = performance.now() - start;
  const inputs = trainingInputs(model, batchSize);
  return {
    label,
    compile,
    times: [] as number[],
    step: () => program.run(inputs, { read: ["loss"] }),
    program,
  };
}

const contenders = [];
for (const amount of amounts.split(",").map(Number)) {
  contenders.push(
    await contender(
      amount === 0 ? "own, dense" : `own, ${100 * amount} % masked`,
      pruned(dense, { amount, block: 1 }),
    ),
  );
}
if (peer === "tfjs") contenders.push(await contender("tfjs-wasm, dense", dense, tfjs({ kind: "wasm" })));
for (let round = 0; round < Number(rounds) + 2; round++) {
  for (const one of contenders) {
    const start = performance.now();
    const loss = (await one.step()).get("loss")!.data[0]!;
    if (round >= 2) one.times.push(performance.now() - start);
    if (round === 0 || round === Number(rounds))
      console.log(`  ${one.label}: loss ${loss.toFixed(6)} in step ${round + 1}`);
  }
}
const first = quantile(contenders[0]!.times, 0.2);
for (const { label, times, compile } of contenders) {
  const time = quantile(times, 0.2);
  console.log(
    `${name} B${batchSize} ${label.padEnd(20)} ${time.toFixed(2).padStart(9)} ms  ${(first / time).toFixed(2)} × own dense  (compile ${compile.toFixed(0)} ms)`,
  );
}
