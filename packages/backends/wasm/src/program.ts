import {
  bindInputs,
  EspalierError,
  type Graph,
  type Program,
  type RunOptions,
  selectOutputs,
  type TensorData,
  type Tensors,
} from "@espalier/core";
import { makePlan } from "./compile/plan.ts";
import { PlacedPlan } from "./placed-plan.ts";
import type { WasmState } from "./state.ts";

/** A graph on one state. Plans are kept by batch size; the first run of a size makes its plan, later ones allocate nothing. */
export class WasmProgram implements Program {
  readonly #graph: Graph;
  readonly #state: WasmState;
  readonly #plans = new Map<number, PlacedPlan>();

  constructor(graph: Graph, state: WasmState) {
    this.#graph = graph;
    this.#state = state;
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
    const plan = this.prepare(batchSize);
    plan.write(inputs);
    plan.run("main");
    const result = new Map<string, TensorData>(wanted.map(({ name }) => [name, plan.read(name)]));
    plan.run("update");
    plan.afterUpdates();
    return result;
  }

  dispose(): void {
    for (const plan of this.#plans.values()) plan.dispose();
    this.#plans.clear();
  }
}
