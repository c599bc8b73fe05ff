/**
 * Time of a forward pass by kernel and by node: `node --conditions=@espalier/source bench/profile.ts
 * iTransformer 1 0.9 [training]`. Every call is timed alone, many runs, medians.
 */

import { drawTrainingStep } from "@espalier/training";
import type { Work } from "../src/compile/step.ts";
import { wasm } from "../src/index.ts";
import type { PlacedPlan } from "../src/placed-plan.ts";
import type { WasmProgram } from "../src/program.ts";
import { type BenchModel, benchModels, inputsFor, pruned, quantile, trainingInputs } from "./models.ts";

const [, , name = "iTransformer", batchText = "1", amountText = "0", what = "forward"] = process.argv;
const amount = Number(amountText);
const batchSize = Number(batchText);
const backend = wasm();
const model = pruned(benchModels[name as BenchModel](), { amount, block: 1 });

if (what === "training") {
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const state = await backend.createState(new Map([...model.tensors, ...tensors]));
  const program = (await backend.compile(graph, { state })) as WasmProgram;
  await program.run(trainingInputs(model, batchSize));
  const plan = program.prepare(batchSize);
  report(plan, [...plan.calls("main"), ...plan.calls("update")]);
} else {
  const state = await backend.createState(model.tensors);
  const program = (await backend.compile(model.graph, { state })) as WasmProgram;
  await program.run(inputsFor(model, batchSize));
  const [part] = program.parts(batchSize);
  const plan = program.prepare(part!.size);
  report(plan, plan.calls("main"));
}

function titleOf(work: Work): string {
  if (work.kind === "host") return "JavaScript";
  return work.kind === "weight" ? `product, ${work.weight.format}` : work.call.kernel;
}

function report(plan: PlacedPlan, calls: ReturnType<PlacedPlan["calls"]>): void {
  const times: number[][] = calls.map(() => []);
  const rounds = what === "training" ? 12 : 60;
  for (let round = 0; round < rounds; round++) {
    calls.forEach(({ run }, i) => {
      const start = performance.now();
      run();
      if (round >= rounds / 3) times[i]!.push(performance.now() - start);
    });
  }
  const rows = calls.map(({ step }, i) => ({
    node: step.node,
    kernel: titleOf(step.work),
    microseconds: 1000 * quantile(times[i]!, 0.2),
    macs: step.macs,
  }));
  const total = rows.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const byKernel = Map.groupBy(rows, ({ kernel }) => kernel);
  console.log(
    `${name} ${what}, batch ${plan.plan.batchSize} of ${batchSize}, ${amount} zeros, arena ${(plan.memory.arena / 2 ** 20).toFixed(1)} MiB: ${total.toFixed(0)} µs in ${rows.length} calls`,
  );
  for (const [kernel, list] of byKernel) {
    const sum = list.reduce((n, { microseconds }) => n + microseconds, 0);
    const macs = list.reduce((n, row) => n + row.macs, 0);
    const rate = macs > 0 ? `, ${((2 * macs) / sum / 1000).toFixed(1)} dense GFLOP/s` : "";
    console.log(
      `  ${kernel.padEnd(18)} ${sum.toFixed(1).padStart(9)} µs ${((100 * sum) / total).toFixed(1).padStart(5)} %  ${list.length} calls${rate}`,
    );
  }
  console.log("slowest:");
  for (const row of rows.toSorted((a, b) => b.microseconds - a.microseconds).slice(0, 60)) {
    const rate = row.macs > 0 ? ` ${((2 * row.macs) / row.microseconds / 1000).toFixed(1)} GFLOP/s` : "";
    console.log(
      `  ${row.microseconds.toFixed(1).padStart(9)} µs  ${row.kernel.padEnd(18)} ${row.node}${rate}`,
    );
  }
}
