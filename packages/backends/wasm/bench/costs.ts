/**
 * Expected costs of calls, which decide whether threads share them, next to measured ones:
 * `node --conditions=@espalier/source bench/costs.ts`. A factor of two does no harm.
 */
import { autoformer, informer, iTransformer, patchTST } from "@espalier/models";
import { drawTrainingStep } from "@espalier/training";
import { callOf } from "../src/compile/step.ts";
import { wasm } from "../src/index.ts";
import type { WasmProgram } from "../src/program.ts";
import type { WasmState } from "../src/state.ts";
import { costOf } from "../src/threads/divide/index.ts";
import { pruned, quantile, trainingInputs } from "./models.ts";

const size = { inputLength: 96, horizon: 96, series: 7, width: 128, heads: 8 };
const batch = 16;
const backend = wasm();
const kernels = new Map<string, { calls: number; measured: number; expected: number }>();
for (const dense of [patchTST, iTransformer, autoformer, informer].map((one) => one(size).initialize(1))) {
  for (const amount of [0, 0.9]) {
    const model = pruned(dense, { amount, block: 1 });
    const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
    const state = (await backend.createState(new Map([...model.tensors, ...tensors]))) as WasmState;
    const program = (await backend.compile(graph, { state })) as WasmProgram;
    await program.run(trainingInputs(model, batch));
    const placed = program.prepare(batch);
    const { limits, kernels: heap } = state.heap;
    const surroundings = { constants: placed.plan.constants, panelRows: heap.panelRows(), limits };
    for (const { step, run } of [...placed.calls("main"), ...placed.calls("update")]) {
      if (step.work.kind === "host") continue;
      const call = callOf(step.work);
      const expected = costOf(call, surroundings);
      if (expected === undefined) continue;
      const times = Array.from({ length: 5 }, () => {
        const start = performance.now();
        run();
        return 1e6 * (performance.now() - start);
      });
      const known = kernels.get(call.kernel) ?? { calls: 0, measured: 0, expected: 0 };
      kernels.set(call.kernel, {
        calls: known.calls + 1,
        measured: known.measured + quantile(times, 0.2),
        expected: known.expected + expected,
      });
    }
    state.dispose();
  }
}
for (const [kernel, { calls, measured, expected }] of [...kernels].sort(
  (a, b) => b[1].measured - a[1].measured,
)) {
  const microseconds = (n: number) => `${(n / 1000).toFixed(0).padStart(8)} µs`;
  const ratio = (expected / measured).toFixed(2);
  console.log(
    `${kernel.padEnd(22)} ${String(calls).padStart(5)} calls ${microseconds(measured)}, expected ${microseconds(expected)}: ${ratio} ×`,
  );
}
