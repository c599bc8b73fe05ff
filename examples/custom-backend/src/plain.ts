import { type Backend, EspalierError, type Program, type TensorData, type Tensors } from "@espalier/core";
import {
  bindInputs,
  checkTensors,
  type Graph,
  isLive,
  liveValues,
  type Node,
  resolveShape,
  selectOutputs,
} from "@espalier/core/graph";
import { kernels } from "./kernels.ts";
import { PlainState } from "./state.ts";

/** Runs graphs in plain JavaScript and single precision: kernels where there is one, the operator's definition elsewhere. */
export function plain(): Backend {
  return {
    name: "plain",
    availability: async () => ({ available: true, detail: "plain JavaScript, single precision" }),
    createState: async (tensors) => new PlainState(tensors),
    async compile(graph, { state }) {
      if (!(state instanceof PlainState))
        throw new EspalierError("backend plain: the state was created by another backend.");
      checkTensors(graph, (name) => state.shapeOf(name));
      return programOf(graph, state);
    },
  };
}

function programOf(graph: Graph, state: PlainState): Program {
  // Nodes that no output depends on are never run.
  const live = liveValues(graph);
  const nodes = graph.nodes.filter((node) => isLive(node, live));
  return {
    async run(inputs, { read } = {}) {
      const batchSize = bindInputs(graph, inputs);
      const outputs = selectOutputs(graph, read);
      const values = evaluate(graph, nodes, { inputs, state, batchSize });
      const result = new Map(outputs.map(({ name, value }) => [name, copyOf(values[value]!)]));
      // Updates come after all reads: every node has seen the old tensors by now.
      for (const { tensor, value } of graph.updates) state.put(tensor, copyOf(values[value]!));
      return result;
    },
    dispose() {},
    [Symbol.dispose]() {},
  };
}

interface Run {
  readonly inputs: Tensors;
  readonly state: PlainState;
  readonly batchSize: number;
}

function evaluate(
  graph: Graph,
  nodes: readonly Node[],
  { inputs, state, batchSize }: Run,
): (TensorData | undefined)[] {
  const values: (TensorData | undefined)[] = new Array(graph.values.length);
  for (const { name, value } of graph.inputs) values[value] = inputs.get(name)!;
  for (const { name, value } of graph.tensors) values[value] = state.tensor(name);
  for (const node of nodes) {
    const operands = node.inputs.map((id) => values[id]!);
    const shapes = node.outputs.map((id) => resolveShape(graph.values[id]!.shape, batchSize));
    const results =
      kernels.get(node.operator.name)?.(node, operands, shapes) ??
      byDefinition(node, operands, shapes, batchSize);
    node.outputs.forEach((id, i) => {
      const { dtype } = graph.values[id]!;
      const data = dtype === "int32" ? Int32Array.from(results[i]!) : Float32Array.from(results[i]!);
      values[id] = { dtype, shape: shapes[i]!, data };
    });
  }
  return values;
}

/** Every operator comes with a reference implementation in double precision: slow, and right. */
function byDefinition(
  { operator, attributes }: Node,
  operands: readonly TensorData[],
  shapes: readonly (readonly number[])[],
  batchSize: number,
): Float64Array[] {
  const arrays = operands.map(({ shape, data }) => ({ shape, data: Float64Array.from(data) }));
  return operator.evaluate(arrays, attributes, shapes, batchSize).map(({ data }) => data);
}

function copyOf(tensor: TensorData): TensorData {
  return { ...tensor, data: tensor.data.slice() };
}
