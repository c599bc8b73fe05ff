import { EspalierError, type Snapshot, type State, type TensorData, type Tensors } from "@espalier/core";
import { Slots, type TensorSlot } from "@espalier/core/compile";
import { countElements } from "@espalier/core/graph";
import { type Device, working } from "./device/device.ts";
import { Readback } from "./device/transfer.ts";
import { bytesOf, type Storage } from "./memory/storage.ts";
import { blockSize } from "./wgsl/product.ts";

/** A tensor on the device. Its buffer stays the same as long as the state lives. */
export interface Slot extends TensorSlot {
  readonly storage: Storage;
  readonly buffer: GPUBuffer;
  /** Share of its blocks of 16 × 16 that were all zero when it was last written from outside. */
  zeroBlocks: number;
}

/** Tensors in a device's memory. */
export class WebGpuState extends Slots<Slot> implements State {
  readonly device: Device;
  readonly #snapshots = new Set<Snapshot>();
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(device: Device) {
    super();
    this.device = device;
  }

  static async create(device: Device, tensors: Tensors): Promise<WebGpuState> {
    const state = new WebGpuState(device);
    try {
      for (const [name, { dtype, shape, data }] of tensors) {
        const type = dtype === "int32" ? "i32" : "f32";
        const storage: Storage = { kind: "tensor", name, type, elements: countElements(shape) };
        const buffer = await device.allocate(bytesOf(storage), working, `tensor "${name}"`);
        const slot: Slot = { storage, shape: [...shape], dtype, buffer, version: 0, zeroBlocks: 0 };
        state.slots.set(name, slot);
        state.#store(slot, data);
      }
    } catch (error) {
      state.dispose();
      throw error;
    }
    return state;
  }

  /** Runs one thing after the other: runs and reads of one state do not overtake each other. */
  exclusively<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  read(names: readonly string[] = this.names): Promise<Tensors> {
    return this.exclusively(async () => {
      const slots = names.map((name) => this.slot(name));
      this.device.assertThere("reading tensors");
      const parts = slots.map(({ buffer, shape }) => ({ buffer, bytes: 4 * countElements(shape) }));
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      const readback = new Readback(this.device, "reading tensors");
      try {
        if (bytes > 0) {
          await readback.reserve(bytes);
          const encoder = this.device.gpu.createCommandEncoder();
          readback.encode(encoder, parts);
          this.device.gpu.queue.submit([encoder.finish()]);
        }
        const data = await readback.fetch(bytes);
        let at = 0;
        return new Map(
          slots.map(({ dtype, shape, storage }): [string, TensorData] => {
            const own = toTensor(data, at, dtype, shape);
            at += 4 * countElements(shape);
            return [storage.name, own];
          }),
        );
      } finally {
        readback.dispose();
      }
    });
  }

  write(tensors: Tensors): Promise<void> {
    return this.exclusively(async () => {
      this.checkReplaced(tensors);
      this.device.assertThere("writing tensors");
      for (const [name, { data }] of tensors) this.#store(this.slot(name), data);
    });
  }

  snapshot(names: readonly string[] = this.names): Promise<Snapshot> {
    return this.exclusively(async () => {
      const { device } = this;
      const slots = names.map((name) => this.slot(name));
      const copies: GPUBuffer[] = [];
      const dispose = () => {
        for (const copy of copies.splice(0)) device.free(copy);
        this.#snapshots.delete(snapshot);
      };
      const copy = (pairs: readonly (readonly [GPUBuffer, GPUBuffer])[]) => {
        const encoder = device.gpu.createCommandEncoder();
        for (const [from, to] of pairs) encoder.copyBufferToBuffer(from, 0, to, 0, from.size);
        device.gpu.queue.submit([encoder.finish()]);
      };
      const snapshot: Snapshot = {
        restore: () =>
          this.exclusively(async () => {
            if (copies.length !== slots.length)
              throw new EspalierError("the snapshot is already disposed of.");
            device.assertThere("restoring a snapshot");
            copy(slots.map(({ buffer }, i) => [copies[i]!, buffer]));
            for (const slot of slots) this.touch(slot);
          }),
        dispose,
        [Symbol.dispose]: dispose,
      };
      try {
        for (const { buffer, storage } of slots) {
          copies.push(await device.allocate(buffer.size, working, `a snapshot of tensor "${storage.name}"`));
        }
      } catch (error) {
        dispose();
        throw error;
      }
      this.#snapshots.add(snapshot);
      copy(slots.map(({ buffer }, i) => [buffer, copies[i]!]));
      return snapshot;
    });
  }

  dispose(): void {
    for (const snapshot of this.#snapshots) snapshot.dispose();
    for (const { buffer } of this.slots.values()) this.device.free(buffer);
    this.slots.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #store(slot: Slot, data: Float32Array | Int32Array): void {
    slot.zeroBlocks = zeroBlocks(slot.shape, data);
    this.device.gpu.queue.writeBuffer(slot.buffer, 0, data as Float32Array<ArrayBuffer>);
    this.touch(slot);
  }
}

/** A copy of part of what was read back. */
export function toTensor(
  data: ArrayBuffer,
  at: number,
  dtype: TensorData["dtype"],
  shape: readonly number[],
): TensorData {
  const part = data.slice(at, at + 4 * countElements(shape));
  return {
    dtype,
    shape: [...shape],
    data: dtype === "int32" ? new Int32Array(part) : new Float32Array(part),
  };
}

/** The share of a matrix's 16 × 16 blocks that hold only zeros; axes of extent 1 do not count. */
function zeroBlocks(shape: readonly number[], data: ArrayLike<number>): number {
  const [rows, columns, ...more] = shape.filter((extent) => extent !== 1);
  if (rows === undefined || columns === undefined || more.length > 0) return 0;
  let zero = 0;
  let all = 0;
  for (let top = 0; top < rows; top += blockSize) {
    for (let left = 0; left < columns; left += blockSize) {
      all++;
      let empty = true;
      for (let r = top; empty && r < Math.min(rows, top + blockSize); r++) {
        for (let c = left; empty && c < Math.min(columns, left + blockSize); c++) {
          empty = data[r * columns + c] === 0;
        }
      }
      if (empty) zero++;
    }
  }
  return all === 0 ? 0 : zero / all;
}
