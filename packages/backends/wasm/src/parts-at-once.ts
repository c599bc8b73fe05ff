import type { Graph, TensorData, Tensors } from "@espalier/core/inference";
import { bound, failure } from "./bound-phase.ts";
import type { Plan } from "./compile/plan.ts";
import { callOf, type Step } from "./compile/step.ts";
import type { View } from "./compile/view.ts";
import type { Heap } from "./memory/heap.ts";
import type { Job, PartCall } from "./threads/job.ts";
import { PartError } from "./threads/part-error.ts";

/** A value of all parts of a batch, one behind the other. */
interface Staged {
  readonly name: string;
  readonly view: View;
  readonly dtype: TensorData["dtype"];
  /** Elements of one part; 0 from part to part where all have the same. */
  readonly elements: number;
  readonly each: number;
  readonly address: number;
}

/**
 * Parts of a batch, each run by one thread from its inputs to its outputs on an arena of its own: threads wait for each
 * other once, and each finds in its cache what it wrote.
 */
export class PartsAtOnce {
  /** Parts there is room for. */
  readonly count: number;
  readonly #heap: Heap;
  readonly #steps: readonly Step[];
  readonly #inputs: readonly Staged[];
  readonly #outputs: readonly Staged[];
  readonly #job: Job;

  /** For plans of kernels alone: work of JavaScript is the first thread's. */
  constructor(heap: Heap, plan: Plan, graph: Graph, count: number) {
    this.#heap = heap;
    this.count = count;
    this.#steps = plan.steps.main;
    const dtypes = new Map(graph.inputs.map(({ name, value }) => [name, graph.values[value]!.dtype]));
    const varies = new Map(
      graph.inputs.map(({ name, value }) => [
        name,
        graph.values[value]!.shape.some((n) => typeof n !== "number"),
      ]),
    );
    const staged: Staged[] = [];
    const stage = (name: string, view: View, dtype: TensorData["dtype"], batched: boolean): Staged => {
      const elements = view.shape.reduce((n, extent) => n * extent, 1);
      const each = batched ? elements : 0;
      const bytes = 4 * (batched ? count * elements : elements);
      const address = heap.allocate(bytes, `inputs and outputs of ${count} parts of a batch`);
      const one = { name, view, dtype, elements, each, address };
      staged.push(one);
      return one;
    };
    try {
      this.#inputs = plan.inputs.map(({ name, view }) =>
        stage(name, view, dtypes.get(name)!, varies.get(name)!),
      );
      this.#outputs = plan.outputs.map(({ name, view, dtype }) => stage(name, view, dtype, true));
      const kernels = plan.steps.main.map(({ node, work }): PartCall => {
        if (work.kind === "host")
          throw new TypeError(`node ${node} is computed by JavaScript, on one thread`);
        return bound(callOf(work), true);
      });
      this.#job = heap.team!.job([[...this.#inputs.map(copyIn), ...kernels, ...this.#outputs.map(copyOut)]]);
    } catch (error) {
      for (const { address } of staged) heap.free(address);
      throw error;
    }
  }

  /** Runs as many parts as inputs hold, at most `count`. */
  run(inputs: Tensors, parts: number): void {
    for (const { name, address } of this.#inputs) {
      const { data, dtype } = inputs.get(name)!;
      if (dtype === "int32") this.#heap.integers(address, data.length).set(data);
      else this.#heap.floats(address, data.length).set(data);
    }
    try {
      this.#heap.team!.run(this.#job, 0, parts);
    } catch (error) {
      if (!(error instanceof PartError)) throw error;
      const step = this.#steps[error.call - this.#inputs.length];
      throw step === undefined ? error : failure(step, error);
    }
  }

  /** An output of the first parts, to be read before the next run. */
  read(name: string, parts: number): Float32Array | Int32Array {
    const { dtype, address, elements } = this.#outputs.find((output) => output.name === name)!;
    const length = parts * elements;
    return dtype === "int32" ? this.#heap.integers(address, length) : this.#heap.floats(address, length);
  }

  dispose(): void {
    for (const { address } of [...this.#inputs, ...this.#outputs]) this.#heap.free(address);
    this.#job.dispose();
  }
}

const placeOf = ({ view }: Staged) => view.storage.address + 4 * view.offset;

function copyIn(staged: Staged): PartCall {
  const { address, each, elements, view } = staged;
  const args = [placeOf(staged), 0, address, 4 * each, 4 * elements] as const;
  return { kernel: "copy", args, perThread: [view.storage.perThread ?? 0] };
}

function copyOut(staged: Staged): PartCall {
  const { address, each, elements, view } = staged;
  const args = [address, 4 * each, placeOf(staged), 0, 4 * elements] as const;
  return { kernel: "copy", args, perThread: [0, 0, view.storage.perThread ?? 0] };
}
