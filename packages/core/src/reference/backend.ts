import type { Backend, Program, State, Tensors } from "../backend.ts";
import { EspalierError } from "../errors.ts";
import { bindInputs, checkTensors, selectOutputs } from "../graph/bind.ts";
import { resolveShape } from "../graph/extent.ts";
import { type Graph, isLive, liveValues } from "../graph/graph.ts";
import type { TensorData } from "../graph/tensor.ts";
import { map, type NdArray } from "./array.ts";

/** The oracle: every operator by its own definition, in double precision. Slow, and available everywhere. */
export const reference: Backend = {
  name: "reference",
  availability: async () => ({
    available: true,
    detail: "plain JavaScript, double precision",
    threads: 1,
    simd: "none",
  }),
  createState: async (tensors) => createState(tensors),
  async compile(graph, { state }) {
    if (!(state instanceof ReferenceState)) {
      throw new EspalierError("backend reference: the state was created by another backend.");
    }
    checkTensors(graph, (name) => state.arrays.get(name)?.shape);
    return compileReference(graph, state);
  },
};

class ReferenceState implements State {
  readonly arrays = new Map<string, NdArray>();
  readonly #dtypes = new Map<string, TensorData["dtype"]>();
  readonly #versions = new Map<string, number>();

  get names(): readonly string[] {
    return [...this.arrays.keys()];
  }

  define(tensors: Tensors): void {
    for (const [name, { shape, data, dtype }] of tensors) {
      this.arrays.set(name, { shape, data: Float64Array.from(data) });
      this.#dtypes.set(name, dtype);
      this.touch(name);
    }
  }

  touch(name: string): void {
    this.#versions.set(name, this.version(name) + 1);
  }

  version(name: string): number {
    return this.#versions.get(name) ?? 0;
  }

  async read(names = this.names): Promise<Tensors> {
    return new Map(names.map((name) => [name, toTensor(this.#existing(name), this.#dtypes.get(name)!)]));
  }

  async write(tensors: Tensors): Promise<void> {
    for (const [name, { shape }] of tensors) {
      const old = this.#existing(name).shape;
      if (old.length !== shape.length || old.some((extent, i) => extent !== shape[i])) {
        throw new EspalierError(
          `tensor "${name}" has shape [${old.join(", ")}], it cannot become [${shape.join(", ")}].`,
        );
      }
    }
    this.define(tensors);
  }

  async snapshot(names = this.names) {
    const kept = new Map(names.map((name) => [name, this.#existing(name)]));
    return {
      restore: async () => {
        for (const [name, array] of kept) {
          this.arrays.set(name, array);
          this.touch(name);
        }
      },
      dispose: () => kept.clear(),
      [Symbol.dispose]: () => kept.clear(),
    };
  }

  dispose(): void {
    this.arrays.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #existing(name: string): NdArray {
    const array = this.arrays.get(name);
    if (array === undefined) throw new EspalierError(`the state has no tensor "${name}".`);
    return array;
  }
}

function createState(tensors: Tensors): State {
  const state = new ReferenceState();
  state.define(tensors);
  return state;
}

function compileReference(graph: Graph, state: ReferenceState): Program {
  return {
    async run(inputs, options = {}) {
      const batchSize = bindInputs(graph, inputs);
      const outputs = selectOutputs(graph, options.read);
      const given = new Map(state.arrays);
      for (const [name, { shape, data }] of inputs)
        given.set(`input ${name}`, { shape, data: Float64Array.from(data) });
      const values = evaluateGraph(graph, given, batchSize);
      const result = new Map(
        outputs.map(({ name, value }) => [name, toTensor(values[value]!, graph.values[value]!.dtype)]),
      );
      for (const { tensor, value } of graph.updates) {
        state.arrays.set(tensor, rounded(values[value]!));
        state.touch(tensor);
      }
      return result;
    },
    dispose() {},
    [Symbol.dispose]() {},
  };
}

/** Evaluates every live value of a graph in double precision. `given` holds tensors by name, and inputs as `input <name>`. */
export function evaluateGraph(
  graph: Graph,
  given: ReadonlyMap<string, NdArray>,
  batchSize: number,
): readonly (NdArray | undefined)[] {
  const live = liveValues(graph);
  const values: (NdArray | undefined)[] = new Array(graph.values.length);
  for (const { name, value } of graph.inputs) values[value] = given.get(`input ${name}`)!;
  for (const { name, value } of graph.tensors) values[value] = given.get(name)!;
  for (const node of graph.nodes) {
    if (!isLive(node, live)) continue;
    const operands = node.inputs.map((id) => values[id]!);
    const shapes = node.outputs.map((id) => resolveShape(graph.values[id]!.shape, batchSize));
    const results = node.operator.evaluate(operands, node.attributes, shapes, batchSize);
    node.outputs.forEach((id, i) => {
      values[id] = graph.values[id]!.dtype === "int32" ? map(results[i]!, Math.trunc) : results[i]!;
    });
  }
  return values;
}

/** A state holds float32 numbers, so that reading and writing it back changes nothing. */
function rounded({ shape, data }: NdArray): NdArray {
  return { shape, data: data.map(Math.fround) };
}

function toTensor({ shape, data }: NdArray, dtype: TensorData["dtype"]): TensorData {
  return { dtype, shape, data: dtype === "int32" ? Int32Array.from(data) : Float32Array.from(data) };
}
