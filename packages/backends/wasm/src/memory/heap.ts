import { EspalierError } from "@espalier/core/inference";
import { loadModule, type Simd } from "../modules/load.ts";
import type { KernelName, Kernels } from "../modules/names.ts";
import { type DivisionLimits, usualLimits } from "../threads/divide/limits.ts";
import type { Team } from "../threads/team.ts";
import { Blocks } from "./blocks.ts";
import type { Memory } from "./memory.ts";

/** Kernels read up to two vectors beyond what they are given. */
const slack = 64;
const page = 65536;
/** 16 MiB. */
const growth = 256;
/** WebAssembly addresses have 32 bits. */
const limit = 65536;

export interface HeapOptions {
  readonly threads?: number;
  /** With the kernels of training; true by default. */
  readonly training?: boolean;
  /** Instead of the module of the level, for instruments that watch it. */
  readonly kernels?: WebAssembly.Module | undefined;
  readonly limits?: DivisionLimits | undefined;
}

/** A linear memory with the kernels that work on it. Requests that exceed it are refused without affecting the rest. */
export class Heap implements Memory {
  readonly kernels: Kernels;
  /** When its threads share a call. */
  readonly limits: DivisionLimits;
  /** Threads that share this memory; undefined if it is one thread's own. */
  #team: Team | undefined;
  readonly #memory: WebAssembly.Memory;
  readonly #blocks: Blocks;

  private constructor(memory: WebAssembly.Memory, kernels: Kernels, limits: DivisionLimits) {
    this.limits = limits;
    this.#memory = memory;
    this.kernels = kernels;
    this.#blocks = new Blocks(kernels.heapBase());
  }

  static async create(simd: Simd, options: HeapOptions = {}): Promise<Heap> {
    const { threads = 1, training = true, kernels, limits = usualLimits } = options;
    const shared = threads > 1;
    const memory = shared ? await sharedMemory() : new WebAssembly.Memory({ initial: 2 });
    const module = kernels ?? (await loadModule({ simd, training, shared }));
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    const heap = new Heap(memory, instance.exports as unknown as Kernels, limits);
    if (shared) {
      // Most pages run on one thread, and need none of it.
      const { Team } = await import("../threads/team.ts");
      heap.#team = await Team.start(heap, memory, module, threads);
    }
    return heap;
  }

  get team(): Team | undefined {
    return this.#team;
  }

  get threads(): number {
    return this.#team?.threads ?? 1;
  }

  /** Ends the threads; the memory goes with its last reader. */
  dispose(): void {
    this.#team?.dispose();
  }

  /** Bytes the memory has grown to. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Room for `bytes`; `what` names it where there is none. */
  allocate(bytes: number, what: string): number {
    if (bytes + slack > limit * page) throw this.#tooLarge(bytes, what);
    const address = this.#blocks.take(bytes + slack);
    const missing = Math.ceil((this.#blocks.end + slack) / page) - this.#memory.buffer.byteLength / page;
    if (missing > 0) {
      try {
        this.#grow(missing);
      } catch {
        this.#blocks.give(address);
        throw this.#tooLarge(bytes, what);
      }
    }
    // What is read beyond the end is computed with, though its results are not used, and must be ordinary numbers.
    new Uint8Array(this.#memory.buffer, address + bytes, slack).fill(0);
    return address;
  }

  free(address: number): void {
    this.#blocks.give(address);
  }

  /** The numbers at an address: good until memory grows. */
  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length);
  }

  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, address, length);
  }

  doubles(address: number, length: number): Float64Array {
    return new Float64Array(this.#memory.buffer, address, length);
  }

  copy(from: number, to: number, bytes: number): void {
    new Uint8Array(this.#memory.buffer).copyWithin(to, from, from + bytes);
  }

  /** In large steps where there is room: pages are taken only when touched, and neighbours touched later can be huge ones. */
  #grow(missing: number): void {
    const step = Math.max(missing, growth);
    try {
      this.#memory.grow(step);
    } catch (error) {
      if (step === missing) throw error;
      this.#memory.grow(missing);
    }
  }

  /** Returns a kernel by name; it is called with its arguments and the number of a thread's part, which it ignores. */
  bind(kernel: KernelName, args: readonly number[]): (part?: number) => void {
    const call = this.kernels[kernel] as Kernels[KernelName] | undefined;
    if (call !== undefined) return call.bind(null, ...args) as (part?: number) => void;
    throw this.failure(`kernel ${kernel} belongs to training, which { training: false } leaves out.`);
  }

  /** An error of what this memory is for. What threads need is loaded apart, and has no error of its own. */
  failure(text: string): EspalierError {
    return new EspalierError(`backend wasm: ${text}`);
  }

  #tooLarge(bytes: number, what: string): EspalierError {
    const size = (n: number) => `${(n / 2 ** 20).toFixed(0)} MiB`;
    return this.failure(
      `${what} needs ${size(bytes)}; memory holds ${size(this.bytes)} and cannot grow by that much. Use a smaller batch or model, or another backend.`,
    );
  }
}

/** Milliseconds to wait for memories that are on their way out, one after the other. */
const patience = [10, 30, 100, 300, 1000];

/**
 * Engines reserve gigabytes of addresses for each memory, and give them back only once its last worker is gone: that is
 * after `dispose`, so where there is no room it is worth a wait.
 */
async function sharedMemory(): Promise<WebAssembly.Memory> {
  for (const wait of patience) {
    try {
      return reserve();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  try {
    return reserve();
  } catch {
    throw new EspalierError(
      "backend wasm: no room for another shared memory. Dispose of states that are no longer needed, or use one thread.",
    );
  }
}

/** Shared memory must say how far it may grow; a device that cannot reserve 4 GiB of addresses gets less. */
function reserve(): WebAssembly.Memory {
  for (let maximum = limit; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: 2, maximum, shared: true });
    } catch (error) {
      if (maximum <= growth) throw error;
    }
  }
}
