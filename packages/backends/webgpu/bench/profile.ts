/**
 * Time of a forward pass or a training step, kernel by kernel:
 * `pnpm --filter @espalier/backend-webgpu bench:profile [forward|training] [batch]`. Each kernel is timed alone, often
 * enough to outweigh its submission; medians. On a software adapter the shares are those of a processor.
 */
import { float32, randomInputs, type Tensors } from "@espalier/core";
import type { Graph } from "@espalier/core/graph";
import { iTransformer } from "@espalier/models";
import { drawTrainingStep } from "@espalier/training";
import { webgpu } from "../src/index.ts";
import type { WebGpuProgram } from "../src/program.ts";
import type { WebGpuState } from "../src/state.ts";

const [, , what = "training", batchText = "8"] = process.argv;
const batch = Number(batchText);
const backend = webgpu();
const { available, detail } = await backend.availability();
console.log(detail);
if (!available) process.exit(1);

const lengths = { inputLength: 96, horizon: 96, series: 7 };
const model = iTransformer({ ...lengths, width: 128, layers: 2 }).initialize(0);

function subject(): { graph: Graph; tensors: Tensors; inputs: Tensors } {
  if (what === "forward") return { ...model, inputs: randomInputs(model, batch) };
  const { graph, tensors } = drawTrainingStep(model, { seed: 1 });
  const inputs = new Map(randomInputs({ ...model, graph }, batch));
  inputs.set("learningRate", float32([], [1e-4]));
  return { graph, tensors: new Map([...model.tensors, ...tensors]), inputs };
}

const { graph, tensors, inputs } = subject();
const state = (await backend.createState(tensors)) as WebGpuState;
const program = (await backend.compile(graph, { state })) as WebGpuProgram;
await program.run(inputs);
const plan = await program.prepare(batch);
const { gpu } = state.device;

/** Milliseconds of one run of a kernel. */
async function timeOf(number: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const encoder = gpu.createCommandEncoder();
    plan.encodeAlone(encoder, number, 8);
    const start = performance.now();
    gpu.queue.submit([encoder.finish()]);
    await gpu.queue.onSubmittedWorkDone();
    times.push((performance.now() - start) / 8);
  }
  return times.sort((a, b) => a - b)[2]!;
}

const rows: { label: string; workgroups: string; time: number }[] = [];
for (const [i, { label, workgroups }] of plan.kernels.entries())
  rows.push({ label, workgroups: workgroups.join(" × "), time: await timeOf(i) });
const total = rows.reduce((sum, { time }) => sum + time, 0);
console.log(`${what}, batch ${batch}: ${rows.length} kernels, ${total.toFixed(2)} ms`);
for (const { label, workgroups, time } of rows.toSorted((a, b) => b.time - a.time).slice(0, 25))
  console.log(
    `${time.toFixed(3).padStart(9)} ms ${((100 * time) / total).toFixed(1).padStart(5)} %  ${workgroups.padEnd(14)} ${label}`,
  );
