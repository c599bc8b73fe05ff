import {
  add,
  type Builder,
  elementsOf,
  type Initializer,
  matMul,
  reshape,
  swapAxes,
  uniformFanIn,
  type Value,
} from "@espalier/core/graph";

export interface LinearOptions {
  readonly bias?: boolean;
  /** Initialiser of the weight; PyTorch's by default. */
  readonly initializer?: Initializer;
}

/** x·Wᵀ + b over the last axis, with PyTorch's `nn.Linear` names, layout [out, in] and initialisation. */
export function linear(b: Builder, name: string, x: Value, to: number, options: LinearOptions = {}): Value {
  const from = x.shape.at(-1) as number;
  const { bias = true, initializer = uniformFanIn(from) } = options;
  const layer = b.scope(name);
  const weight = layer.parameter("weight", [to, from], initializer);
  const product = matMul(layer, x, swapAxes(layer, weight, 0, 1));
  return bias ? add(layer, product, layer.parameter("bias", [to], uniformFanIn(from))) : product;
}

/** `nn.Conv1d` with kernel 1 over channels-last x: the product of a linear layer, its weight stored as [out, in, 1]. */
export function pointwise(b: Builder, name: string, x: Value, to: number, { bias = true } = {}): Value {
  const from = x.shape.at(-1) as number;
  const layer = b.scope(name);
  const weight = layer.parameter("weight", [to, from, 1], uniformFanIn(from));
  const product = matMul(layer, x, swapAxes(layer, reshape(layer, weight, [to, from]), 0, 1));
  return bias ? add(layer, product, layer.parameter("bias", [to], uniformFanIn(from))) : product;
}

/** Merges leading axes into one: […, T, D] → [rest, T, D]. */
export function mergeLeading(b: Builder, x: Value): Value {
  const { shape } = x;
  return reshape(b, x, [elementsOf(shape.slice(0, -2)), shape.at(-2)!, shape.at(-1)!]);
}
