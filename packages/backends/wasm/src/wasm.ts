import { type Backend, checkTensors, EspalierError, unknownName } from "@espalier/core/inference";
import { kernelsFor } from "./kernels/index.ts";
import { Heap } from "./memory/heap.ts";
import { loadModule, type ModuleOptions, type Simd, supports } from "./modules/load.ts";
import { WasmProgram } from "./program.ts";
import { WasmState } from "./state.ts";
import type { DivisionLimits } from "./threads/divide/limits.ts";

/** Options of the WebAssembly backend. */
export interface WasmOptions {
  /** Build of the kernels; by default `relaxed` if the engine supports it, else `plain`. */
  readonly simd?: Simd;
  /**
   * Number of threads that run a program together, including this one; 1 by default. More need shared memory: a page
   * gets it if it is served with the headers `Cross-Origin-Opener-Policy: same-origin` and
   * `Cross-Origin-Embedder-Policy: require-corp`. The number of threads does not change results. A state's workers end
   * when it is disposed of.
   */
  readonly threads?: number;
  /** False for a backend that only runs models, whose kernels are a fifth smaller to load. Default true. */
  readonly training?: boolean;
  /**
   * Compiled kernels: `@espalier/backend-wasm/forward-relaxed.wasm` or `…/forward-plain.wasm`, which run models but do
   * not train them. Needed if code cannot be compiled at run time, as in Cloudflare's workerd, or not be imported then,
   * as in service workers. Runs on one thread.
   */
  readonly module?: WebAssembly.Module;
}

/** More than any machine can use, but few enough to start. */
const maxThreads = 256;

const known = ["simd", "threads", "training", "module"];

/**
 * Runs graphs on Espalier's WebAssembly kernels. Weights are packed according to their zeros, so that pruned models are
 * fast. Works in any engine with 128-bit SIMD; one thread needs no special headers.
 */
export function wasm(options: WasmOptions = {}): Backend {
  return wasmWith(options);
}

/** Like `wasm`, with `limits` for dividing work among threads. */
export function wasmWith(options: WasmOptions, limits?: DivisionLimits): Backend {
  const { threads = 1, training = true, module } = options;
  const strange = Object.keys(options).find((key) => !known.includes(key));
  if (strange !== undefined) throw unknownName("backend wasm: option", strange, known);
  if (!Number.isInteger(threads) || threads < 1 || threads > maxThreads) {
    throw new EspalierError(
      `backend wasm: threads must be a whole number from 1 to ${maxThreads}, got ${threads}. Give the machine's number of cores, or leave it out for one thread.`,
    );
  }
  if (module !== undefined && threads > 1) {
    throw new EspalierError(
      `backend wasm: a given module runs on one thread, not on ${threads}. Drop either module or threads.`,
    );
  }
  const simd = () => options.simd ?? (supports("relaxed") ? "relaxed" : "plain");
  // What several threads need is loaded for several only.
  const hindrance = async () =>
    threads === 1 ? undefined : (await import("./threads/sharing.ts")).whyNotShared(threads);
  return {
    name: threads === 1 ? "wasm" : `wasm:${threads}`,
    async availability() {
      if (typeof WebAssembly === "undefined" || !supports(simd())) {
        const detail = `this engine has no WebAssembly with ${options.simd ?? "128-bit"} SIMD; every browser since 2021 and Node since 16 have it`;
        return { available: false, detail };
      }
      const why = await hindrance();
      if (why !== undefined) return { available: false, detail: why };
      const failure = module === undefined ? await whyNotCompiled({ simd: simd(), training }) : undefined;
      if (failure !== undefined) return { available: false, detail: failure };
      const count = threads === 1 ? "1 thread" : `${threads} threads`;
      const level = simd() === "plain" ? "128-bit" : "relaxed";
      return {
        available: true,
        detail: `Espalier's kernels, ${simd()} SIMD, ${count}`,
        threads,
        simd: level,
      };
    },
    async createState(tensors) {
      const reason = await hindrance();
      if (reason !== undefined) throw new EspalierError(`backend wasm: ${reason}`);
      const heap = await Heap.create(simd(), { threads, training, kernels: module, limits });
      return WasmState.create(heap, tensors);
    },
    async compile(graph, { state, batch = [] }) {
      if (!(state instanceof WasmState)) {
        throw new EspalierError("backend wasm: the state was created by another backend.");
      }
      checkTensors(graph, (tensor) => state.find(tensor)?.shape);
      const program = new WasmProgram(graph, await kernelsFor(graph), state);
      for (const size of batch.flatMap((all) => program.parts(all))) program.prepare(size.size);
      return program;
    },
  };
}

/** The reason why the kernels cannot be loaded here; undefined if they can. */
async function whyNotCompiled(options: ModuleOptions): Promise<string | undefined> {
  try {
    await loadModule(options);
    return undefined;
  } catch (error) {
    const [line] = `${(error as Error).message}`.split("\n");
    return `this engine cannot load the kernels (${line}): give wasm({ module }), from @espalier/backend-wasm/forward-${options.simd}.wasm`;
  }
}
