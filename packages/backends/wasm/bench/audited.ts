import type { Tensors } from "@espalier/core";
import { compileKernels } from "../build/compile.ts";
import { type Simd, wasm } from "../src/index.ts";
import { Heap } from "../src/memory/heap.ts";
import { WasmState } from "../src/state.ts";
import type { Scenario, Subject } from "./adversarial.ts";

/** Bytes of memory that a subject finds as another left it. */
const touched = 32 * 2 ** 20;

/** A subject on a state of its own; `kernels`: a module to run instead of the backend's. */
export async function prepare(subject: Subject, simd: Simd, kernels?: WebAssembly.Module) {
  const heap = await Heap.create(simd, { kernels });
  const { graph, tensors, inputs, memory } = subject;
  if (memory !== undefined) {
    const address = heap.allocate(touched, "what was here before");
    heap.floats(address, touched / 4).fill(memory);
    heap.free(address);
  }
  const state = WasmState.create(heap, tensors);
  const program = await wasm({ simd }).compile(graph, { state });
  return { heap, state, run: () => program.run(inputs), dispose: () => state.dispose() };
}

/** Kernels that count operations on subnormal numbers. */
export async function auditedKernels(simd: Simd): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await compileKernels(simd, { audit: true }));
}

/**
 * Operations on vectors in all steps of a scenario's adversarial run, how many of them met a subnormal number, and what came
 * out in the end.
 */
export async function countSubnormals(
  { adversarial, steps }: Scenario,
  simd: Simd,
  kernels: WebAssembly.Module,
) {
  const { heap, state, run, dispose } = await prepare(adversarial, simd, kernels);
  const counters = heap.kernels as unknown as Record<"operations" | "subnormals", () => number>;
  let outputs: Tensors = new Map();
  for (let step = 0; step < steps; step++) outputs = await run();
  const tensors = await state.read();
  dispose();
  return { operations: counters.operations(), subnormal: counters.subnormals(), outputs, tensors };
}
