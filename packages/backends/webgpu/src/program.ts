import { EspalierError, type Program, type RunOptions, type TensorData, type Tensors } from "@espalier/core";
import { type Survey, survey } from "@espalier/core/compile";
import { bindInputs, countElements, type Graph, resolveShape, selectOutputs } from "@espalier/core/graph";
import { GraphLowering } from "./compile/graph-lowering.ts";
import type { Lowered, Tiling } from "./compile/lowering.ts";
import { withoutTransforms } from "./compile/transforms.ts";
import { firstLine } from "./device/device.ts";
import { Plan } from "./memory/plan.ts";
import type { Storage } from "./memory/storage.ts";
import { toTensor, type WebGpuState } from "./state.ts";

export interface ProgramSettings {
  readonly tiling: Tiling;
  readonly half: boolean;
}

/** A graph as kernels: compiled once, planned once for each batch size, one command buffer and one readback a run. */
export class WebGpuProgram implements Program {
  readonly #graph: Graph;
  readonly #state: WebGpuState;
  readonly #settings: ProgramSettings;
  readonly #survey: Survey;
  /** Tensors that the program brings along. */
  readonly #constants: ReadonlyMap<string, Storage>;
  readonly #plans = new Map<number, Plan>();

  constructor(graph: Graph, state: WebGpuState, settings: ProgramSettings) {
    const drawn = withoutTransforms(graph);
    this.#graph = drawn.graph;
    this.#constants = new Map(
      [...drawn.data].map(([name, { dtype, data }]) => {
        const type = dtype === "int32" ? "i32" : "f32";
        return [name, { kind: "constant", name, type, elements: data.length, data }];
      }),
    );
    this.#state = state;
    this.#settings = settings;
    this.#survey = survey(this.#graph);
  }

  /** Makes ready for a batch size, inside the state's queue. */
  async prepare(batchSize: number): Promise<Plan> {
    const known = this.#plans.get(batchSize);
    if (known !== undefined) return known;
    const plan = await Plan.create(
      this.#state.device,
      this.lower(batchSize),
      (name) => this.#state.slot(name).buffer,
    );
    this.#plans.set(batchSize, plan);
    return plan;
  }

  /** The graph at a batch size as kernels in order. */
  lower(batchSize: number): Lowered {
    const { device } = this.#state;
    const { limits } = device.gpu;
    return new GraphLowering(this.#survey, batchSize, {
      ...this.#settings,
      limits: {
        storageBuffers: limits.maxStorageBuffersPerShaderStage,
        workgroupsPerAxis: limits.maxComputeWorkgroupsPerDimension,
      },
      tensor: (name) => this.#constants.get(name) ?? this.#state.slot(name).storage,
      zeroBlocks: ({ name, kind }) => (kind === "tensor" ? this.#state.slot(name).zeroBlocks : 0),
    }).run();
  }

  async run(inputs: Tensors, { read }: RunOptions = {}): Promise<Tensors> {
    const batchSize = bindInputs(this.#graph, inputs);
    const outputs = selectOutputs(this.#graph, read);
    return this.#state.exclusively(async () => {
      const { device } = this.#state;
      device.assertThere(this.#plans.get(batchSize)?.label ?? "a run");
      const plan = await this.prepare(batchSize);
      const { gpu } = device;
      const parts = outputs.map(({ value }) => {
        const { shape, dtype } = this.#graph.values[value]!;
        const concrete = resolveShape(shape, batchSize);
        return { buffer: plan.bufferOf(value), shape: concrete, dtype, bytes: 4 * countElements(concrete) };
      });
      const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
      if (bytes > 0) await plan.readback.reserve(bytes);
      const versions = plan.fixedTensors.map((name) => this.#state.version(name)).join();

      gpu.pushErrorScope("internal");
      gpu.pushErrorScope("out-of-memory");
      gpu.pushErrorScope("validation");
      for (const { name } of this.#graph.inputs) plan.writeInput(name, inputs.get(name)!.data);
      const encoder = gpu.createCommandEncoder();
      plan.encode(encoder, versions);
      if (bytes > 0)
        plan.readback.encode(
          encoder,
          parts.filter((part) => part.bytes > 0),
        );
      for (const { tensor, value } of this.#graph.updates) {
        const [from, to] = [plan.bufferOf(value), this.#state.slot(tensor)];
        if (from !== to.buffer) encoder.copyBufferToBuffer(from, 0, to.buffer, 0, to.buffer.size);
      }
      gpu.queue.submit([encoder.finish()]);
      const scopes = Promise.all([gpu.popErrorScope(), gpu.popErrorScope(), gpu.popErrorScope()]);
      for (const tensor of new Set(this.#graph.updates.map((update) => update.tensor))) {
        this.#state.touch(this.#state.slot(tensor));
      }
      const [data, errors] = await Promise.all([plan.readback.fetch(bytes), scopes.catch(() => [])]);
      const error = errors.find((one) => one !== null);
      if (error) throw new EspalierError(`backend webgpu: ${plan.label}: ${firstLine(error.message)}`);
      let at = 0;
      return new Map(
        outputs.map(({ name }, i): [string, TensorData] => {
          const part = parts[i]!;
          const tensor = toTensor(data, at, part.dtype, part.shape);
          at += part.bytes;
          return [name, tensor];
        }),
      );
    });
  }

  dispose(): void {
    for (const plan of this.#plans.values()) plan.dispose();
    this.#plans.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
