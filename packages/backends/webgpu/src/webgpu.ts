import { type Backend, EspalierError } from "@espalier/core";
import { checkTensors } from "@espalier/core/graph";
import { describeGpu, findGpu } from "@espalier/webgpu-device";
import type { Tiling } from "./compile/lowering.ts";
import { Device } from "./device/device.ts";
import { WebGpuProgram } from "./program.ts";
import { WebGpuState } from "./state.ts";

/** Options of the WebGPU backend. */
export interface WebGpuOptions {
  /**
   * Stores activations and packed weights in 16 bits, which halves the memory traffic; computations still use 32 bits.
   * Needs a device with `shader-f16`; false by default. Results differ by up to about 1e-3 of their largest value.
   */
  readonly float16?: boolean;
  /**
   * How kernels divide their work: `workgroup` shares numbers in workgroup memory, `registers` keeps them in each
   * thread. By default `registers` on software adapters, where workgroup memory is slow, and `workgroup` on every GPU.
   */
  readonly tiling?: Tiling;
  /** Maximum number of bytes to hold on the device; unlimited by default. */
  readonly memory?: number;
}

/**
 * Runs graphs on a GPU through WebGPU: the page's own in a browser, Dawn's (npm's `webgpu`) in Node. Without a GPU it
 * uses a software adapter if one is found, and says so in `availability`.
 */
export function webgpu({ float16 = false, tiling, memory }: WebGpuOptions = {}): Backend {
  let current: Promise<Device> | undefined;

  /** The device, or a new one if it was lost. */
  function device(): Promise<Device> {
    current = renewed(current);
    return current;
  }

  async function renewed(previous: Promise<Device> | undefined): Promise<Device> {
    const known = await previous?.catch(() => undefined);
    if (known !== undefined && known.lost === undefined) return known;
    const found = await findGpu();
    if ("missing" in found) throw new EspalierError(`backend webgpu: ${found.missing}`);
    return Device.request(found, float16, { memory });
  }

  return {
    name: "webgpu",
    async availability() {
      const found = await findGpu();
      if ("missing" in found) return describeGpu(found);
      try {
        await device();
        return describeGpu(found);
      } catch (error) {
        return { available: false, detail: (error as Error).message };
      }
    },
    createState: async (tensors) => WebGpuState.create(await device(), tensors),
    async compile(graph, { state, batch = [] }) {
      if (!(state instanceof WebGpuState)) {
        throw new EspalierError("backend webgpu: the state was created by another backend.");
      }
      checkTensors(graph, (name) => state.find(name)?.shape);
      state.device.assertThere("compiling");
      const program = new WebGpuProgram(graph, state, {
        tiling: tiling ?? (state.device.software ? "registers" : "workgroup"),
        half: float16,
      });
      try {
        for (const size of batch) await state.exclusively(() => program.prepare(size));
      } catch (error) {
        program.dispose();
        throw error;
      }
      return program;
    },
  };
}
