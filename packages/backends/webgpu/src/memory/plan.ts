import type { ValueId } from "@espalier/core/graph";
import type { Lowered } from "../compile/lowering.ts";
import { usage } from "../device/constants.ts";
import { type CompiledKernel, type Device, working } from "../device/device.ts";
import { Readback } from "../device/transfer.ts";
import type { Kernel } from "../wgsl/writer.ts";
import { planSlots } from "./slots.ts";
import { bytesOf, type Storage } from "./storage.ts";

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: Kernel["workgroups"];
}

/** Uniforms begin at multiples of this: WebGPU's default for `minUniformBufferOffsetAlignment`. */
const uniformAlignment = 256;

/** A graph at one batch size with all memory it needs: running it allocates nothing. */
export class Plan {
  readonly #device: Device;
  readonly #lowered: Lowered;
  readonly #buffers: ReadonlyMap<Storage, GPUBuffer>;
  readonly #owned: readonly GPUBuffer[];
  readonly #fixed: readonly Dispatch[];
  readonly #dispatches: readonly Dispatch[];
  readonly readback: Readback;
  /** Tensors that the fixed part reads. */
  readonly fixedTensors: readonly string[];
  /** Versions of the tensors that the fixed part was computed from. */
  #versions: string | undefined;

  private constructor(
    device: Device,
    lowered: Lowered,
    memory: { buffers: ReadonlyMap<Storage, GPUBuffer>; owned: readonly GPUBuffer[] },
    fixed: readonly Dispatch[],
    dispatches: readonly Dispatch[],
  ) {
    this.#device = device;
    this.#lowered = lowered;
    this.#buffers = memory.buffers;
    this.#owned = memory.owned;
    this.#fixed = fixed;
    this.#dispatches = dispatches;
    this.readback = new Readback(device, this.label);
    const read = lowered.fixed.flatMap(({ bindings }) => bindings.map(({ storage }) => storage));
    this.fixedTensors = [...new Set(read.flatMap(({ kind, name }) => (kind === "tensor" ? [name] : [])))];
  }

  /** Allocates and compiles; frees what it had where that fails. `tensor` gives the state's own memory. */
  static async create(device: Device, lowered: Lowered, tensor: (name: string) => GPUBuffer): Promise<Plan> {
    const owned: GPUBuffer[] = [];
    try {
      const buffers = await allocateAll(device, lowered, tensor, owned);
      const kernels = [...lowered.fixed, ...lowered.kernels];
      const [compiled, uniforms] = await Promise.all([
        settled(kernels.map((kernel) => device.compile(kernel))),
        uniformsOf(device, kernels, owned),
      ]);
      const dispatches = kernels.map((kernel, i) => bind(device, kernel, compiled[i]!, buffers, uniforms, i));
      const border = lowered.fixed.length;
      const memory = { buffers, owned };
      return new Plan(device, lowered, memory, dispatches.slice(0, border), dispatches.slice(border));
    } catch (error) {
      for (const buffer of owned) device.free(buffer);
      throw error;
    }
  }

  /** Its name in messages about a whole run. */
  get label(): string {
    const { kernels } = this.#lowered;
    if (kernels.length === 0) return "a run";
    return `a run of ${kernels.length} kernels, from ${kernels[0]!.label} to ${kernels.at(-1)!.label}`;
  }

  /** Place of an output or update when the run ends. */
  bufferOf(value: ValueId): GPUBuffer {
    return this.#buffers.get(this.#lowered.whole(value))!;
  }

  writeInput(name: string, data: Float32Array | Int32Array): void {
    const storage = this.#lowered.inputs.find((input) => input.name === name)!;
    const buffer = this.#buffers.get(storage);
    if (buffer !== undefined && data.length > 0) {
      this.#device.gpu.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    }
  }

  /** Encodes all kernels; those of the fixed part only where a tensor they read has changed. */
  encode(encoder: GPUCommandEncoder, versions: string): void {
    const all = versions === this.#versions ? this.#dispatches : [...this.#fixed, ...this.#dispatches];
    this.#versions = versions;
    if (all.length === 0) return;
    const pass = encoder.beginComputePass();
    let current: GPUComputePipeline | undefined;
    for (const { pipeline, group, workgroups } of all) {
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
    }
    pass.end();
  }

  /** The kernels of a run, in order. */
  get kernels(): readonly Kernel[] {
    return this.#lowered.kernels;
  }

  /** Encodes one kernel alone, so many times over: for those who want to know where time goes. */
  encodeAlone(encoder: GPUCommandEncoder, number: number, times: number): void {
    const { pipeline, group, workgroups } = this.#dispatches[number]!;
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < times; i++) pass.dispatchWorkgroups(...workgroups);
    pass.end();
  }

  dispose(): void {
    this.readback.dispose();
    for (const buffer of this.#owned) this.#device.free(buffer);
  }
}

/** All that the kernels touch; temporary values that are not needed at the same time share buffers. */
async function allocateAll(
  device: Device,
  { fixed, kernels, inputs, kept }: Lowered,
  tensor: (name: string) => GPUBuffer,
  owned: GPUBuffer[],
): Promise<Map<Storage, GPUBuffer>> {
  const buffers = new Map<Storage, GPUBuffer>();
  const allocate = async (bytes: number, what: string) => {
    const buffer = await device.allocate(bytes, working, what);
    owned.push(buffer);
    return buffer;
  };
  const lives = new Map<Storage, { first: number; last: number }>();
  const touch = async (storage: Storage, at: number) => {
    if (storage.kind === "tensor") buffers.set(storage, tensor(storage.name));
    else if (storage.kind === "temporary") {
      const life = lives.get(storage);
      if (life === undefined) lives.set(storage, { first: at, last: at });
      else life.last = Math.max(life.last, at);
    } else if (!buffers.has(storage)) {
      const buffer = await allocate(bytesOf(storage), storage.name);
      buffers.set(storage, buffer);
      if (storage.data !== undefined) {
        device.gpu.queue.writeBuffer(buffer, 0, storage.data as Float32Array<ArrayBuffer>);
      }
    }
  };
  for (const { bindings } of fixed) for (const { storage } of bindings) await touch(storage, 0);
  for (const [at, { bindings }] of kernels.entries()) {
    for (const { storage } of bindings) await touch(storage, at);
  }
  for (const storage of [...inputs, ...kept]) await touch(storage, kernels.length);
  const temporaries = [...lives];
  const { slotOf, bytes } = planSlots(
    temporaries.map(([storage, life]) => ({ bytes: bytesOf(storage), ...life })),
  );
  const slots: GPUBuffer[] = [];
  for (const [slot, size] of bytes.entries()) {
    const largest = temporaries.find(([storage], i) => slotOf[i] === slot && bytesOf(storage) === size)!;
    slots.push(await allocate(size, largest[0].name));
  }
  temporaries.forEach(([storage], i) => {
    buffers.set(storage, slots[slotOf[i]!]!);
  });
  return buffers;
}

/** All uniforms in one buffer. */
async function uniformsOf(
  device: Device,
  kernels: readonly Kernel[],
  owned: GPUBuffer[],
): Promise<GPUBuffer> {
  const bytes = kernels.length * uniformAlignment;
  const buffer = await device.allocate(bytes, usage.uniform | usage.copyTarget, "the kernels' parameters");
  owned.push(buffer);
  const numbers = new Uint32Array(bytes / 4);
  kernels.forEach(({ parameters }, i) => {
    numbers.set(parameters, (i * uniformAlignment) / 4);
  });
  device.gpu.queue.writeBuffer(buffer, 0, numbers);
  return buffer;
}

function bind(
  device: Device,
  { bindings, parameters, workgroups }: Kernel,
  { pipeline, layout }: CompiledKernel,
  buffers: ReadonlyMap<Storage, GPUBuffer>,
  uniforms: GPUBuffer,
  number: number,
): Dispatch {
  const resources: GPUBufferBinding[] = bindings.map(({ storage }) => ({ buffer: buffers.get(storage)! }));
  if (parameters.length > 0) {
    resources.push({ buffer: uniforms, offset: number * uniformAlignment, size: 4 * parameters.length });
  }
  const group = device.gpu.createBindGroup({
    layout,
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });
  return { pipeline, group, workgroups };
}

/** Waits for all, then throws the first error there was. */
async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results.map((result) => (result as PromiseFulfilledResult<T>).value);
}
