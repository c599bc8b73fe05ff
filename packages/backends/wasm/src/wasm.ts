import { type Backend, checkTensors, EspalierError } from "@espalier/core";
import { Heap } from "./memory/heap.ts";
import { type Simd, supports } from "./modules/load.ts";
import { WasmProgram } from "./program.ts";
import { WasmState } from "./state.ts";

/** How the WebAssembly backend is made. */
export interface WasmOptions {
  /** Which build of the kernels; by default `relaxed` where the engine has it, else `plain`. */
  readonly simd?: Simd;
}

/**
 * Runs graphs on our own WebAssembly kernels: weights are packed by what is in them, so that pruned models are fast.
 * One thread, any engine with 128-bit SIMD, no special headers.
 */
export function wasm(options: WasmOptions = {}): Backend {
  const simd = () => options.simd ?? (supports("relaxed") ? "relaxed" : "plain");
  return {
    name: "wasm",
    async availability() {
      if (typeof WebAssembly === "undefined" || !supports(simd())) {
        const detail = `this engine has no WebAssembly with ${options.simd ?? "128-bit"} SIMD; every browser since 2021 and Node since 16 have it`;
        return { available: false, detail };
      }
      return { available: true, detail: `Espalier's kernels, ${simd()} SIMD, 1 thread` };
    },
    createState: async (tensors) => WasmState.create(await Heap.create(simd()), tensors),
    async compile(graph, { state, batch = [] }) {
      if (!(state instanceof WasmState)) {
        throw new EspalierError("backend wasm: the state was made by another backend.");
      }
      checkTensors(graph, (tensor) => state.find(tensor)?.shape);
      const program = new WasmProgram(graph, state);
      for (const size of batch) for (const part of program.parts(size)) program.prepare(part);
      return program;
    },
  };
}
