import { EspalierError } from "@espalier/core";
import { mapRead, usage } from "./constants.ts";
import type { Device } from "./device.ts";

/** Ranges of device memory brought back together: copied into one buffer, which is then mapped once. */
export class Readback {
  readonly #device: Device;
  readonly #what: string;
  #buffer: GPUBuffer | undefined;

  constructor(device: Device, what: string) {
    this.#device = device;
    this.#what = what;
  }

  /** Makes room for so many bytes before anything is encoded. */
  async reserve(bytes: number): Promise<void> {
    if (this.#buffer !== undefined && this.#buffer.size >= bytes) return;
    this.dispose();
    this.#buffer = await this.#device.allocate(bytes, usage.mapRead | usage.copyTarget, this.#what);
  }

  /** Encodes the copies, one behind the other. */
  encode(encoder: GPUCommandEncoder, parts: readonly { buffer: GPUBuffer; bytes: number }[]): void {
    let at = 0;
    for (const { buffer, bytes } of parts) {
      encoder.copyBufferToBuffer(buffer, 0, this.#buffer!, at, bytes);
      at += bytes;
    }
  }

  /** The copied data, once the encoded commands have run. */
  async fetch(bytes: number): Promise<ArrayBuffer> {
    if (bytes === 0) return new ArrayBuffer(0);
    const buffer = this.#buffer!;
    try {
      await buffer.mapAsync(mapRead, 0, bytes);
    } catch (error) {
      await this.#device.assertStillThere(this.#what);
      throw new EspalierError(
        `backend webgpu: ${this.#what} could not be read back: ${(error as Error).message}`,
      );
    }
    const data = buffer.getMappedRange(0, bytes).slice(0);
    buffer.unmap();
    return data;
  }

  dispose(): void {
    if (this.#buffer !== undefined) this.#device.free(this.#buffer);
    this.#buffer = undefined;
  }
}
