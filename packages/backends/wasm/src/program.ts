import {
  bindInputs,
  EspalierError,
  factorOf,
  type Graph,
  isBatch,
  type Program,
  type ProgramDescription,
  type RunOptions,
  selectOutputs,
  type TensorData,
  type Tensors,
} from "@espalier/core";
import { splitsByBatch } from "./compile/batch.ts";
import { makePlan } from "./compile/plan.ts";
import { PlacedPlan } from "./placed-plan.ts";
import type { WasmState } from "./state.ts";

/** A graph on one state. Plans are kept by batch size; the first run of a size makes its plan, later ones allocate nothing. */
export class WasmProgram implements Program {
  readonly #graph: Graph;
  readonly #state: WasmState;
  readonly #plans = new Map<number, PlacedPlan>();
  /** Most elements of a batch in one plan. */
  readonly #part: number;

  constructor(graph: Graph, state: WasmState) {
    this.#graph = graph;
    this.#state = state;
    this.#part = splitsByBatch(graph)
      ? Math.max(1, Math.floor(comfortableTokens / tokensOf(graph)))
      : Number.POSITIVE_INFINITY;
  }

  /** The plan for a batch size, weights packed. */
  prepare(batchSize: number): PlacedPlan {
    let placed = this.#plans.get(batchSize);
    if (placed !== undefined && !placed.isCurrent()) {
      placed.dispose();
      placed = undefined;
    }
    if (placed === undefined) {
      placed = new PlacedPlan(makePlan(this.#graph, this.#state, batchSize), this.#graph, this.#state);
      this.#plans.set(batchSize, placed);
    }
    placed.refresh();
    return placed;
  }

  async run(inputs: Tensors, { read }: RunOptions = {}): Promise<Tensors> {
    const batchSize = bindInputs(this.#graph, inputs);
    const wanted = selectOutputs(this.#graph, read);
    for (const [name, { data, shape }] of inputs) {
      const size = shape.reduce((n, extent) => n * extent, 1);
      if (data.length !== size) {
        throw new EspalierError(
          `input "${name}" holds ${data.length} numbers, its shape [${shape.join(", ")}] says ${size}.`,
        );
      }
    }
    const parts = this.parts(batchSize);
    if (parts.length > 1) return this.#runParts(inputs, wanted, batchSize, parts);
    const plan = this.prepare(batchSize);
    plan.write(inputs);
    plan.run("main");
    const result = new Map<string, TensorData>(wanted.map(({ name }) => [name, plan.read(name)]));
    plan.run("update");
    plan.afterUpdates();
    return result;
  }

  /** Sizes that a batch is run in, one after the other: equal ones where a divisor is near, else as equal as can be. */
  parts(batchSize: number): number[] {
    const fewest = Math.max(1, Math.ceil(batchSize / this.#part));
    let count = fewest;
    while (count < 2 * fewest && batchSize % count !== 0) count++;
    if (batchSize % count !== 0) count = fewest;
    const until = (i: number) => Math.floor((i * batchSize) / count);
    return Array.from({ length: count }, (_, i) => until(i + 1) - until(i));
  }

  #runParts(inputs: Tensors, wanted: Graph["outputs"], batchSize: number, parts: readonly number[]): Tensors {
    const result = new Map<string, TensorData>();
    let start = 0;
    for (const size of parts) {
      const plan = this.prepare(size);
      plan.write(partOf(this.#graph, inputs, start / batchSize, size / batchSize));
      plan.run("main");
      for (const { name } of wanted) {
        const { dtype, shape, data } = plan.read(name);
        if (start === 0) {
          const whole = (data.length / size) * batchSize;
          const room = dtype === "int32" ? new Int32Array(whole) : new Float32Array(whole);
          result.set(name, { dtype, shape: shape.with(0, (shape[0]! / size) * batchSize), data: room });
        }
        result.get(name)!.data.set(data, (data.length / size) * start);
      }
      start += size;
    }
    return result;
  }

  describe(batchSize: number): ProgramDescription {
    const [part] = this.parts(batchSize);
    return { part: part!, ...this.prepare(part!).describe() };
  }

  dispose(): void {
    for (const plan of this.#plans.values()) plan.dispose();
    this.#plans.clear();
  }
}

/**
 * Tokens of a layer at a time, where a batch may be split. More would only push activations out of the second-level
 * cache; fewer would fetch the weights more often.
 */
const comfortableTokens = 352;

/** Most tokens that meet a weight for one element of the batch. */
function tokensOf(graph: Graph): number {
  let most = 1;
  for (const node of graph.nodes) {
    if (node.operator.name !== "MatMul" || graph.values[node.inputs[1]!]!.shape.length !== 2) continue;
    const shape = graph.values[node.outputs[0]!]!.shape.slice(0, -1);
    if (shape.some(isBatch))
      most = Math.max(
        most,
        shape.reduce<number>((n, extent) => n * factorOf(extent), 1),
      );
  }
  return most;
}

/** A share of every input that has a batch axis, which is its first. */
function partOf(graph: Graph, inputs: Tensors, start: number, share: number): Tensors {
  return new Map(
    graph.inputs.map(({ name, value }) => {
      const tensor = inputs.get(name)!;
      if (!graph.values[value]!.shape.some(isBatch)) return [name, tensor];
      const [from, length] = [Math.round(start * tensor.data.length), Math.round(share * tensor.data.length)];
      const shape = tensor.shape.with(0, Math.round(share * tensor.shape[0]!));
      return [name, { ...tensor, shape, data: tensor.data.subarray(from, from + length) }];
    }),
  );
}
