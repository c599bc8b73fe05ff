import {
  type Attributes,
  addOperator,
  type Builder,
  type CallOf,
  isBatch,
  isCallOf,
  type Node,
  type Operator,
  scaleOperator,
  type Value,
} from "@espalier/core/graph";

/** Recognises operators that exporters write as many nodes, by looking back from the last one. */

/** Numbers of scalar constants in the drawing. */
export interface Scalars {
  readonly scalars: ReadonlyMap<number, number>;
}

/** The node that computes a value, if it calls this operator. */
export function drawnBy<A extends Attributes>(
  b: Builder,
  value: Value,
  operator: Operator<A>,
): CallOf<A> | undefined {
  const node = b.producer(value);
  return isCallOf(node, operator) ? node : undefined;
}

export function inputsOf(b: Builder, node: Node): readonly Value[] {
  return node.inputs.map((id) => b.value(id));
}

/** Splits a value into a factor and the rest; the factor of other values is 1. */
export function unscaled(b: Builder, value: Value): { readonly value: Value; readonly by: number } {
  const node = drawnBy(b, value, scaleOperator);
  if (node === undefined) return { value, by: 1 };
  const { by, per } = node.attributes;
  if (isBatch(per)) return { value, by: 1 };
  const inner = unscaled(b, b.value(node.inputs[0]!));
  return { value: inner.value, by: (inner.by * by) / per };
}

/** The operand of a sum with a number, and the number; undefined for any other value. */
export function plusNumber(
  b: Builder,
  value: Value,
  { scalars }: Scalars,
): { readonly value: Value; readonly number: number } | undefined {
  const node = drawnBy(b, value, addOperator);
  if (node === undefined) return undefined;
  const [left, right] = inputsOf(b, node);
  const [first, second] = [scalars.get(left!.id), scalars.get(right!.id)];
  if (second !== undefined) return { value: left!, number: second };
  return first === undefined ? undefined : { value: right!, number: first };
}

/** Equal up to the sixth digit: constants in files are single precision. */
export function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-5 * Math.abs(b);
}

/** Whether two values are the same computation: exporters draw some parts twice. */
export function isSame(b: Builder, x: Value, y: Value, depth = 4): boolean {
  if (x.id === y.id) return true;
  const [left, right] = [b.producer(x), b.producer(y)];
  if (left === undefined || right === undefined || depth === 0) return false;
  if (left.operator.name !== right.operator.name || left.inputs.length !== right.inputs.length) return false;
  if (left.outputs.indexOf(x.id) !== right.outputs.indexOf(y.id)) return false;
  if (JSON.stringify(left.attributes) !== JSON.stringify(right.attributes)) return false;
  return left.inputs.every((id, i) => isSame(b, b.value(id), b.value(right.inputs[i]!), depth - 1));
}
