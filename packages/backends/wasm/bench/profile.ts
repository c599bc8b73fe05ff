/**
 * Where a forward pass spends its time, by kernel and by node: `node --conditions=@espalier/source bench/profile.ts
 * iTransformer 1 0.9`. Every call is timed alone, many runs, medians.
 */

import { wasm } from "../src/index.ts";
import type { PlacedPlan } from "../src/placed-plan.ts";
import type { WasmProgram } from "../src/program.ts";
import { type BenchModel, benchModels, inputsFor, median, sparsified } from "./models.ts";

const [, , name = "iTransformer", batchText = "1", amount = "0"] = process.argv;
const model = benchModels[name as BenchModel]();
const backend = wasm();
const state = await backend.createState(sparsified(model, { amount: Number(amount), block: 1 }));
const program = await backend.compile(model.graph, { state });
const batchSize = Number(batchText);
await program.run(inputsFor(model, batchSize));
const [part] = (program as WasmProgram).parts(batchSize);
report((program as WasmProgram).prepare(part!));

function report(plan: PlacedPlan): void {
  const calls = plan.calls("main");
  const times: number[][] = calls.map(() => []);
  for (let round = 0; round < 60; round++) {
    calls.forEach(({ run }, i) => {
      const start = performance.now();
      run();
      if (round >= 20) times[i]!.push(performance.now() - start);
    });
  }
  const rows = calls.map(({ step }, i) => ({
    node: step.node,
    kernel: "weight" in step.call ? `product, ${step.call.weight.format}` : step.call.kernel,
    microseconds: 1000 * median(times[i]!),
    macs: step.macs,
  }));
  const total = rows.reduce((sum, { microseconds }) => sum + microseconds, 0);
  const byKernel = Map.groupBy(rows, ({ kernel }) => kernel);
  console.log(
    `${name}, batch ${batchSize} (${part} at a time), ${amount} zeros: ${total.toFixed(0)} µs in ${rows.length} calls`,
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
  for (const row of rows.toSorted((a, b) => b.microseconds - a.microseconds).slice(0, 12)) {
    console.log(`  ${row.microseconds.toFixed(1).padStart(9)} µs  ${row.kernel.padEnd(18)} ${row.node}`);
  }
}
