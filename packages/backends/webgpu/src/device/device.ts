import { EspalierError } from "@espalier/core";
import type { Gpu } from "@espalier/webgpu-device";
import type { Kernel } from "../wgsl/writer.ts";
import { computeStage, usage } from "./constants.ts";

/** A pipeline with the layout its memory is bound by. */
export interface CompiledKernel {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Larger requests are refused before they reach the driver. */
export interface MemoryLimit {
  /** Maximum number of bytes to hold; the device's own limits apply in any case. */
  readonly memory?: number | undefined;
}

/** One WebGPU device: compiled kernels by their code, counted memory, and its loss. */
export class Device {
  readonly gpu: GPUDevice;
  readonly name: string;
  readonly software: boolean;
  readonly half: boolean;
  readonly #limit: number;
  readonly #kernels = new Map<string, Promise<CompiledKernel>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  #held = 0;
  #lost: string | undefined;

  private constructor(gpu: GPUDevice, found: Gpu, half: boolean, limit: number) {
    this.gpu = gpu;
    this.name = found.name;
    this.software = found.software;
    this.half = half;
    this.#limit = limit;
    void gpu.lost.then(({ message, reason }) => {
      this.#lost = firstLine(message) || reason;
    });
    // Errors that nobody waits for would be printed by the runtime; runs have scopes of their own.
    gpu.addEventListener("uncapturederror", (event) => event.preventDefault());
  }

  static async request(found: Gpu, half: boolean, { memory }: MemoryLimit): Promise<Device> {
    const adapter = await found.api.requestAdapter({ powerPreference: "high-performance" });
    if (adapter === null)
      throw new EspalierError(`backend webgpu: ${found.name} no longer provides an adapter.`);
    if (half && !adapter.features.has("shader-f16")) {
      throw new EspalierError(
        `backend webgpu: ${found.name} has no 16-bit numbers (feature shader-f16). Drop the option float16.`,
      );
    }
    const { limits } = adapter;
    const gpu = await adapter.requestDevice({
      requiredFeatures: half ? ["shader-f16"] : [],
      requiredLimits: {
        maxBufferSize: limits.maxBufferSize,
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      },
    });
    return new Device(gpu, found, half, memory ?? Number.POSITIVE_INFINITY);
  }

  /** The reason why the device was lost, if it was. */
  get lost(): string | undefined {
    return this.#lost;
  }

  /** Bytes held in buffers. */
  get held(): number {
    return this.#held;
  }

  /** Throws if the device was lost; `what` was to be done. */
  assertThere(what: string): void {
    if (this.#lost === undefined) return;
    throw new EspalierError(
      `backend webgpu: ${what}: the device (${this.name}) was lost: ${this.#lost}. Create the state and program again.`,
    );
  }

  /** After a failure, throws if the device was lost, which may only be known a moment later. */
  async assertStillThere(what: string): Promise<void> {
    await Promise.race([this.gpu.lost, new Promise((resolve) => setTimeout(resolve, 100))]);
    this.assertThere(what);
  }

  /** Allocates memory; `what` names it in errors. Returned with `free`. */
  async allocate(bytes: number, flags: number, what: string): Promise<GPUBuffer> {
    const size = Math.ceil(bytes / 16) * 16;
    const { maxBufferSize, maxStorageBufferBindingSize } = this.gpu.limits;
    const maxBytes = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (size > maxBytes || this.#held + size > this.#limit) {
      const limit =
        size > maxBytes
          ? `one buffer may hold ${mebibytes(maxBytes)}`
          : `the limit is ${mebibytes(this.#limit)}`;
      throw this.#outOfMemory(size, what, limit);
    }
    this.#held += size;
    this.gpu.pushErrorScope("out-of-memory");
    this.gpu.pushErrorScope("validation");
    let buffer: GPUBuffer | undefined;
    try {
      buffer = this.gpu.createBuffer({ size, usage: flags });
    } catch {
      // Reported by the scopes, or as lost.
    }
    const errors = await Promise.all([this.gpu.popErrorScope(), this.gpu.popErrorScope()]).catch(() => []);
    const error = errors.find((one) => one !== null);
    if (buffer !== undefined && error === undefined && this.#lost === undefined) return buffer;
    buffer?.destroy();
    this.#held -= size;
    await this.assertStillThere(what);
    throw this.#outOfMemory(size, what, firstLine(error?.message ?? "the device has no more"));
  }

  free(buffer: GPUBuffer): void {
    this.#held -= buffer.size;
    buffer.destroy();
  }

  /** Compiles a kernel; equal code is compiled once. Errors name the nodes it is for. */
  compile(kernel: Kernel): Promise<CompiledKernel> {
    const { bindings, code, parameters } = kernel;
    let known = this.#kernels.get(code);
    if (known === undefined) {
      const accesses = bindings.map(({ access }) => access);
      known = this.#compile(kernel, this.#layout(accesses, parameters.length > 0));
      this.#kernels.set(code, known);
      known.catch(() => this.#kernels.delete(code));
    }
    return known;
  }

  async #compile({ code, label }: Kernel, layout: GPUBindGroupLayout): Promise<CompiledKernel> {
    this.assertThere(label);
    this.gpu.pushErrorScope("validation");
    const module = this.gpu.createShaderModule({ code, label });
    const scope = this.gpu.popErrorScope();
    try {
      const pipeline = await this.gpu.createComputePipelineAsync({
        label,
        layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: "main" },
      });
      await scope;
      return { pipeline, layout };
    } catch (error) {
      const found = await scope.catch(() => null);
      await this.assertStillThere(label);
      const info = await module.getCompilationInfo().catch(() => undefined);
      const message = info?.messages.find(({ type }) => type === "error");
      const where = message === undefined ? "" : `line ${message.lineNum}: ${message.message}`;
      const why = where || firstLine(found?.message ?? (error as Error).message);
      throw new EspalierError(
        `backend webgpu: the kernel of ${label} does not compile on ${this.name}: ${why}`,
      );
    }
  }

  #layout(accesses: readonly ("read" | "read_write")[], uniform: boolean): GPUBindGroupLayout {
    const key = `${accesses.join()} ${uniform}`;
    const known = this.#layouts.get(key);
    if (known !== undefined) return known;
    const types: GPUBufferBindingType[] = accesses.map((access) =>
      access === "read" ? "read-only-storage" : "storage",
    );
    if (uniform) types.push("uniform");
    const layout = this.gpu.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: computeStage, buffer: { type } })),
    });
    this.#layouts.set(key, layout);
    return layout;
  }

  #outOfMemory(bytes: number, what: string, why: string): EspalierError {
    const held = `${mebibytes(bytes)} requested, ${mebibytes(this.#held)} held; ${why}`;
    return new EspalierError(
      `backend webgpu: no memory for ${what} on ${this.name} (${held}). Use a smaller batch or model.`,
    );
  }
}

/** Usage of memory that kernels work on and that is copied in and out. */
export const working: number = usage.storage | usage.copySource | usage.copyTarget;

export function firstLine(message: string): string {
  return message.split("\n")[0]!;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0)} MiB`;
}
