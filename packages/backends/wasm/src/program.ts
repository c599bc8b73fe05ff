import {
  bindInputs,
  factorOf,
  type Graph,
  isBatch,
  isCallOf,
  matMulOperator,
  type Program,
  type ProgramDescription,
  type RunOptions,
  selectOutputs,
  type TensorData,
  type Tensors,
} from "@espalier/core/inference";
import { splitsByBatch } from "./compile/batch.ts";
import { makePlan } from "./compile/plan.ts";
import type { KernelSet } from "./kernels/kernel.ts";
import { PlacedPlan } from "./placed-plan.ts";
import type { WasmState } from "./state.ts";

/** Parts of a batch that are of one size. */
export interface BatchParts {
  /** Elements of each. */
  readonly size: number;
  readonly count: number;
  /** Threads run them side by side, each one at a time; else all threads together run one after the other. */
  readonly atOnce: boolean;
}

/**
 * A graph on one state. Plans are cached by batch size; the first run of a size makes its plan, later ones allocate
 * nothing.
 */
export class WasmProgram implements Program {
  readonly #graph: Graph;
  readonly #kernels: KernelSet;
  readonly #state: WasmState;
  readonly #plans = new Map<number, PlacedPlan>();
  readonly #splits: boolean;
  readonly #tokens: number;

  constructor(graph: Graph, kernels: KernelSet, state: WasmState) {
    this.#graph = graph;
    this.#kernels = kernels;
    this.#state = state;
    this.#splits = splitsByBatch(graph);
    this.#tokens = tokensOf(graph);
  }

  /** The plan for a batch size, weights packed. */
  prepare(batchSize: number): PlacedPlan {
    let placed = this.#plans.get(batchSize);
    this.#state.settle(placed?.plan.weights.masked);
    if (placed !== undefined && !placed.isCurrent) {
      placed.dispose();
      placed = undefined;
    }
    if (placed === undefined) {
      const plan = makePlan(this.#graph, this.#kernels, this.#state, batchSize);
      const arenas = this.#splits ? this.#state.heap.threads : 1;
      placed = new PlacedPlan(plan, this.#graph, this.#state, { arenas });
      this.#plans.set(batchSize, placed);
    }
    placed.refresh();
    return placed;
  }

  async run(inputs: Tensors, { read }: RunOptions = {}): Promise<Tensors> {
    const batchSize = bindInputs(this.#graph, inputs);
    const wanted = selectOutputs(this.#graph, read);
    const parts = this.parts(batchSize);
    if (parts[0]!.size < batchSize) return this.#runParts(inputs, wanted, batchSize, parts);
    const plan = this.prepare(batchSize);
    plan.write(inputs);
    plan.run("main");
    const result = new Map<string, TensorData>(wanted.map(({ name }) => [name, plan.read(name)]));
    plan.update();
    return result;
  }

  /**
   * Decides how a batch is run. With one thread: in parts of one size if a suitable divisor exists, else as equal as
   * possible. With several: in parts of one size, as many as keep all threads busy, and a remainder.
   */
  parts(batchSize: number): BatchParts[] {
    if (!this.#splits) return [{ size: batchSize, count: 1, atOnce: false }];
    const largest = Math.max(1, Math.floor(comfortableTokens / this.#tokens));
    const { threads } = this.#state.heap;
    if (threads > 1) {
      const fewest = Math.ceil(batchSize / (threads * largest));
      const rounds = nearDivisor(batchSize / threads, fewest);
      const size = Math.max(1, Math.floor(batchSize / (threads * rounds)));
      const count = Math.floor(batchSize / size / threads) * threads;
      if (count > 0 && size * this.#tokens >= fewTokens) {
        const left = batchSize - count * size;
        return [{ size, count, atOnce: true }, ...(left > 0 ? oneByOne(left, largest) : [])];
      }
    }
    return oneByOne(batchSize, largest);
  }

  #runParts(
    inputs: Tensors,
    wanted: Graph["outputs"],
    batchSize: number,
    parts: readonly BatchParts[],
  ): Tensors {
    const result = new Map<string, TensorData>();
    const room = (name: string, { dtype, shape }: Pick<TensorData, "dtype" | "shape">, size: number) => {
      const whole = shape.with(0, (shape[0]! / size) * batchSize);
      const length = whole.reduce((n, extent) => n * extent, 1);
      const data = dtype === "int32" ? new Int32Array(length) : new Float32Array(length);
      const tensor = { dtype, shape: whole, data };
      result.set(name, tensor);
      return tensor;
    };
    let start = 0;
    const take = (name: string, plan: PlacedPlan, data: Float32Array | Int32Array, elements: number) => {
      const tensor = result.get(name) ?? room(name, plan.outputType(name), plan.plan.batchSize);
      tensor.data.set(data, (data.length / elements) * start);
    };
    for (const { size, count, atOnce } of parts) {
      const plan = this.prepare(size);
      if (atOnce && plan.runsAtOnce) {
        const several = plan.partsAtOnce(count);
        several.run(partOf(this.#graph, inputs, start / batchSize, (size * count) / batchSize), count);
        for (const { name } of wanted) take(name, plan, several.read(name, count), size * count);
        start += size * count;
        continue;
      }
      for (let i = 0; i < count; i++) {
        plan.write(partOf(this.#graph, inputs, start / batchSize, size / batchSize));
        plan.run("main");
        for (const { name } of wanted) take(name, plan, plan.read(name).data, size);
        start += size;
      }
    }
    return result;
  }

  describe(batchSize: number): ProgramDescription {
    const [part] = this.parts(batchSize) as [BatchParts];
    const plan = this.prepare(part.size);
    return { part: part.size, ...plan.describe(part.atOnce && plan.runsAtOnce) };
  }

  dispose(): void {
    for (const plan of this.#plans.values()) plan.dispose();
    this.#plans.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Tokens of a layer at a time, where a batch may be split. More would only push activations out of the second-level
 * cache; fewer would fetch the weights more often.
 */
const comfortableTokens = 352;

/** Tokens below which a part is too little for a thread of its own: products then cost what fetching weights does. */
const fewTokens = 48;

function oneByOne(batchSize: number, largest: number): BatchParts[] {
  const count = nearDivisor(batchSize, Math.ceil(batchSize / largest));
  const longer = batchSize % count;
  const size = Math.floor(batchSize / count);
  const parts = [
    { size: size + 1, count: longer, atOnce: false },
    { size, count: count - longer, atOnce: false },
  ];
  return parts.filter((one) => one.count > 0);
}

/** Most tokens that meet a weight for one element of the batch. */
function tokensOf(graph: Graph): number {
  let largest = 1;
  for (const node of graph.nodes) {
    if (!isCallOf(node, matMulOperator) || graph.values[node.inputs[1]!]!.shape.length !== 2) continue;
    const shape = graph.values[node.outputs[0]!]!.shape.slice(0, -1);
    if (shape.some(isBatch))
      largest = Math.max(
        largest,
        shape.reduce<number>((n, extent) => n * factorOf(extent), 1),
      );
  }
  return largest;
}

/** The first number from `from` on that divides a whole number; `from` where there is none before twice as much. */
function nearDivisor(whole: number, from: number): number {
  for (let divisor = from; divisor < 2 * from; divisor++) if (whole % divisor === 0) return divisor;
  return from;
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
