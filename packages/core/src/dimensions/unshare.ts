import type { Tensors } from "../backend.ts";
import { Builder, type Value } from "../graph/builder.ts";
import { countElements, type Extent, resolveExtent, type Shape, sameShape } from "../graph/extent.ts";
import type { Graph, Node, ValueId } from "../graph/graph.ts";
import { redrawNodes, redrawSources } from "../graph/redraw.ts";
import type { TensorData } from "../graph/tensor.ts";
import { expand, expandOperator } from "../operators/broadcast.ts";
import { reshape, reshapeOperator, transpose, transposeOperator } from "../operators/layout.ts";
import { matMulOperator } from "../operators/matmul.ts";
import { isCallOf } from "../operators/operator.ts";

/** A repeated value: its numbers, with extent 1 along every axis on which they are equal, and the full shape. */
interface Repeated {
  readonly once: Value;
  readonly shape: Shape;
}

/**
 * Duplicates values that are shared only in appearance. A table that is constant along an axis (positions repeated over
 * batch, heads and channels) is often drawn once and read by many layers, whose heads would then form one dimension. It
 * is stored short, and every reader that cannot broadcast repeats it for itself. A graph without such a value is
 * returned unchanged.
 */
export function unshareRepeats(graph: Graph, tensors: Tensors): { graph: Graph; tensors: Tensors } {
  const b = Builder.create();
  const read = timesRead(graph);
  const short = new Map(
    graph.tensors.flatMap(({ name, role, value }): [ValueId, TensorData][] => {
      const once = role === "constant" ? shortened(tensors.get(name)!) : undefined;
      return once === undefined ? [] : [[value, once]];
    }),
  );
  const shapes = graph.values.map((type, value) => ({
    ...type,
    shape: short.get(value)?.shape ?? type.shape,
  }));
  const values = redrawSources(b, { ...graph, values: shapes });
  const repeated = new Map<ValueId, Repeated>(
    [...short.keys()].map((value) => [value, { once: values[value]!, shape: graph.values[value]!.shape }]),
  );
  const whole = (value: ValueId) => {
    const known = repeated.get(value);
    return known === undefined ? values[value]! : expand(b, known.once, known.shape);
  };
  const draw = (node: Node) => {
    const once = drawOnce(
      b,
      node,
      node.inputs.map((value) => repeated.get(value) ?? values[value]!),
    );
    const [output] = node.outputs;
    if (once === undefined)
      return b.applyAll(node.operator, node.inputs.map(whole), node.attributes, node.name);
    const { shape } = graph.values[output!]!;
    if (!sameShape(once.shape, shape)) repeated.set(output!, { once, shape });
    return [once];
  };
  redrawNodes(b, graph, values, { draw });
  const shared = [...repeated.keys()].some((value) => read[value]! > 1);
  if (!shared || graph.updates.length > 0) return { graph, tensors };
  for (const { name, value } of graph.outputs) b.output(name, whole(value));
  const drawn = b.build();
  const names = new Map(graph.tensors.map((spec) => [spec.name, spec]));
  const specs = drawn.graph.tensors.map((spec) => ({ ...names.get(spec.name), ...spec }));
  const numbers = graph.tensors.map(
    ({ name, value }) => [name, short.get(value) ?? tensors.get(name)!] as const,
  );
  return { graph: { ...drawn.graph, tensors: specs }, tensors: new Map([...drawn.data, ...numbers]) };
}

/** How often each value is read. */
function timesRead({ values, nodes, outputs }: Graph): number[] {
  const times = values.map(() => 0);
  for (const { inputs } of nodes) for (const value of inputs) times[value]!++;
  for (const { value } of outputs) times[value]!++;
  return times;
}

/** Draws a node on the short form of its inputs if possible; its output then has extent 1 on repeated axes. */
function drawOnce(b: Builder, node: Node, inputs: readonly (Value | Repeated)[]): Value | undefined {
  const [first] = inputs;
  const { operator, attributes, name } = node;
  const onceOf = (input: Value | Repeated) => ("once" in input ? input.once : input);
  if (isCallOf(node, expandOperator)) {
    const lead = node.attributes.shape.length - first!.shape.length;
    return reshape(b, onceOf(first!), [...Array<1>(lead).fill(1), ...onceOf(first!).shape]);
  }
  if (!inputs.some((input) => "once" in input)) return undefined;
  if (isCallOf(node, transposeOperator)) return transpose(b, onceOf(first!), node.attributes.perm);
  if (isCallOf(node, reshapeOperator)) {
    const shape = reshapedOnce(first as Repeated, node.attributes.shape);
    return shape && reshape(b, onceOf(first!), shape);
  }
  if (operator.broadcasts) return b.applyAll(operator, inputs.map(onceOf), attributes, name)[0]!;
  if (!isCallOf(node, matMulOperator)) return undefined;
  // Matrices stay whole; the axes before them broadcast.
  const matrices = inputs.map((input) =>
    "once" in input
      ? expand(b, input.once, [...input.once.shape.slice(0, -2), ...input.shape.slice(-2)])
      : input,
  );
  return b.applyAll(operator, matrices, attributes, name)[0]!;
}

/** A number in place of the batch, to compare extents with. */
const someBatch = 1_000_003;

/**
 * The short form of a repeated value after a reshape; undefined if it joins a repeated axis with one that is not, or is
 * empty.
 */
function reshapedOnce({ once, shape: from }: Repeated, to: Shape): Shape | undefined {
  if (to.includes(0)) return undefined;
  const size = (extent: Extent | undefined) => (extent === undefined ? 1 : resolveExtent(extent, someBatch));
  const result: Extent[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const start = [i, j] as const;
    let [left, right] = [size(from[i++]), size(to[j++])];
    while (left !== right) {
      if (left < right) left *= size(from[i++]);
      else right *= size(to[j++]);
    }
    const axes = from.slice(start[0], i).map((extent, k) => ({ extent, now: once.shape[start[0] + k]! }));
    const long = axes.filter(({ extent }) => extent !== 1);
    const stays = long.filter(({ now }) => now !== 1).length;
    if (stays !== 0 && stays !== long.length) return undefined;
    result.push(...to.slice(start[1], j).map((extent) => (stays === 0 ? 1 : extent)));
  }
  return result;
}

/** A tensor with extent 1 on the axes along which it is constant; undefined if there are none. */
function shortened({ dtype, shape, data }: TensorData): TensorData | undefined {
  const strideOf = (axis: number) => countElements(shape.slice(axis + 1));
  const same = shape.map((extent, axis) => {
    const stride = strideOf(axis);
    return (
      extent > 1 && data.every((value, i) => value === data[i - (Math.floor(i / stride) % extent) * stride])
    );
  });
  if (!same.includes(true)) return undefined;
  const kept = data.filter((_, i) =>
    same.every((repeats, axis) => !repeats || Math.floor(i / strideOf(axis)) % shape[axis]! === 0),
  );
  return { dtype, shape: shape.map((extent, axis) => (same[axis] ? 1 : extent)), data: kept } as TensorData;
}
