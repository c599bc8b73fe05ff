import type { Program, RunOptions, TensorData, Tensors } from "@espalier/core";
import { bindInputs, type Graph, selectOutputs } from "@espalier/core/graph";
import type { RuntimeOptions } from "./options.ts";
import { makePlan, type Plan, type PlanStep } from "./plan.ts";
import { activate, exclusively } from "./runtime.ts";
import { download, type TfjsState, upload } from "./state.ts";
import type { Tensor, Tf } from "./tensorflow-js.ts";

/** A plan with the values of its fixed part, and the versions of the tensors they were computed from. */
interface Prepared {
  readonly plan: Plan;
  readonly values: Map<number, Tensor>;
  versions: string;
}

/** A graph on TensorFlow.js: node by node, values freed at their last use; plans are kept by batch size. */
export class TfjsProgram implements Program {
  readonly #graph: Graph;
  readonly #state: TfjsState;
  readonly #options: RuntimeOptions;
  readonly #prepared = new Map<number, Prepared>();

  constructor(graph: Graph, state: TfjsState, options: RuntimeOptions) {
    this.#graph = graph;
    this.#state = state;
    this.#options = options;
  }

  prepare(batchSize: number): Prepared {
    const known = this.#prepared.get(batchSize);
    if (known !== undefined) return known;
    const plan = makePlan(this.#graph, batchSize, this.#state.kind);
    const made: Prepared = { plan, values: new Map(), versions: "" };
    this.#prepared.set(batchSize, made);
    return made;
  }

  async run(inputs: Tensors, { read }: RunOptions = {}): Promise<Tensors> {
    const batchSize = bindInputs(this.#graph, inputs);
    const outputs = selectOutputs(this.#graph, read);
    return exclusively(async () => {
      const tf = await activate(this.#state.kind, this.#options);
      const prepared = this.prepare(batchSize);
      this.#refresh(tf, prepared, batchSize);
      const values = new Map(prepared.values);
      const made = new Set<number>();
      for (const { name, value } of this.#graph.tensors) values.set(value, this.#state.get(name));
      for (const { name, value } of this.#graph.inputs) {
        values.set(value, upload(tf, inputs.get(name)!));
        made.add(value);
      }
      const { source } = prepared.plan;
      try {
        execute(tf, prepared.plan.steps, values, made, batchSize);
        const result = new Map<string, TensorData>();
        for (const { name, value } of outputs) result.set(name, await download(values.get(source(value))!));
        const updates = this.#graph.updates.map(({ tensor, value }) => ({
          tensor,
          next: tf.clone(values.get(source(value))!),
        }));
        for (const { tensor, next } of updates) this.#state.set(tensor, next);
        return result;
      } finally {
        for (const value of made) values.get(value)?.dispose();
      }
    });
  }

  dispose(): void {
    for (const { values } of this.#prepared.values()) for (const tensor of values.values()) tensor.dispose();
    this.#prepared.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Computes the fixed part again where a tensor it reads was written. */
  #refresh(tf: Tf, prepared: Prepared, batchSize: number): void {
    const { plan, values } = prepared;
    const versions = plan.fixedTensors.map((name) => this.#state.version(name)).join();
    if (versions === prepared.versions && values.size === plan.kept.length) return;
    for (const tensor of values.values()) tensor.dispose();
    values.clear();
    const all = new Map(this.#graph.tensors.map(({ name, value }) => [value, this.#state.get(name)]));
    execute(tf, plan.fixed, all, new Set(), batchSize);
    for (const id of plan.kept) values.set(id, all.get(id)!);
    prepared.versions = versions;
  }
}

/** Runs steps; `made` collects what this run owns and has not freed. */
function execute(
  tf: Tf,
  steps: readonly PlanStep[],
  values: Map<number, Tensor>,
  made: Set<number>,
  batchSize: number,
): void {
  for (const { node, kernel, inputs, shapes, free } of steps) {
    const results = tf.tidy(() => {
      const result = kernel({
        tf,
        inputs: inputs.map((id) => values.get(id)!),
        attributes: node.attributes,
        outputs: shapes,
        batchSize,
      });
      return (Array.isArray(result) ? result : [result]) as Tensor[];
    });
    node.outputs.forEach((id, i) => {
      values.set(id, results[i]!);
      made.add(id);
    });
    for (const id of free) {
      values.get(id)!.dispose();
      values.delete(id);
      made.delete(id);
    }
  }
}
