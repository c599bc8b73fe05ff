import { float32, type TensorData } from "@espalier/core";
import {
  Builder,
  type CallOf,
  type DftAttributes,
  dftMatrix,
  dftOperator,
  elementsOf,
  type Graph,
  isCallOf,
  matMul,
  redrawNodes,
  redrawSources,
  reshape,
  transpose,
  type Value,
} from "@espalier/core/graph";

/**
 * The graph with its Fourier transforms drawn as products with constant matrices, and these matrices by tensor name: at
 * the lengths of a model's windows a product is as fast as anything, and the changes of layout around it vanish into views.
 */
export function withoutTransforms(graph: Graph): {
  readonly graph: Graph;
  readonly data: ReadonlyMap<string, TensorData>;
} {
  if (!graph.nodes.some((node) => isCallOf(node, dftOperator))) return { graph, data: new Map() };
  const b = Builder.create();
  const values = redrawSources(b, graph);
  redrawNodes(b, graph, values, {
    draw: (node, [x]) => (isCallOf(node, dftOperator) ? [drawTransform(b, node, x!)] : undefined),
  });
  for (const { name, value } of graph.outputs) b.output(name, values[value]!);
  for (const { tensor, value } of graph.updates) b.update(tensor, values[value]!);
  return b.build();
}

/** x […, position, …, part] · matrix [position × part, position × part]. */
function drawTransform(
  builder: Builder,
  { name: title, attributes }: CallOf<DftAttributes>,
  x: Value,
): Value {
  const { axis, inverse, onesided, length } = attributes;
  const parts = x.shape.at(-1) as number;
  const positions = x.shape[axis] as number;
  const b = builder.scope(title);
  const matrix = dftMatrix(attributes, parts);
  const columns = matrix.length / (positions * parts);
  const name = `DFT ${inverse ? "inverse" : "forward"} ${onesided ? "one-sided" : "whole"} ${length} ${parts}`;
  const weights = builder.constant(float32([positions * parts, columns], matrix), name);
  const rank = x.shape.length;
  const others = Array.from({ length: rank - 1 }, (_, i) => i).filter((i) => i !== axis);
  const rows = others.map((i) => x.shape[i]!);
  const turned = reshape(b, transpose(b, x, [...others, axis, rank - 1]), [
    elementsOf(rows),
    positions * parts,
  ]);
  const to = onesided && inverse ? 1 : 2;
  const product = reshape(b, matMul(b, turned, weights), [...rows, columns / to, to]);
  // The axis back to its place.
  const order = Array.from({ length: rank }, (_, i) => {
    if (i === axis) return rank - 2;
    return i === rank - 1 ? rank - 1 : others.indexOf(i);
  });
  return transpose(b, product, order);
}
