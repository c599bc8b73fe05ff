import { type Attributes, countElements, scaleFactor, type ValueId } from "@espalier/core/inference";
import { type Emitter, pointer } from "../compile/emitter.ts";
import { expandView, type Layout, layoutOf, type View } from "../compile/view.ts";
import { ofFloats } from "./by-definition.ts";
import { binaryFunctions, unaryFunctions } from "./functions.ts";
import type { Emit, Emits } from "./kernel.ts";

export type UnaryName = keyof typeof unaryFunctions;
export type BinaryName = keyof typeof binaryFunctions;

/** y = f(x), views of one shape; y may be x. */
export function emitUnary(e: Emitter, name: UnaryName, y: View, x: View, by = 0): void {
  e.call("unary", unaryFunctions[name].code, e.walk(y, [x], y.shape, y.padded), pointer(y), pointer(x), by);
}

/** Extra arguments of a function of two operands: ratio and scale of dropout, or two bounds. */
type Numbers = readonly [number, number];

/** y = f(a, b); a and b are repeated to y's shape. */
export function emitBinary(
  e: Emitter,
  name: BinaryName,
  y: View,
  a: View,
  b: View,
  numbers: Numbers = [0, 0],
): void {
  const [left, right] = [expandView(a, y.shape), expandView(b, y.shape)];
  const dims = e.walk(y, [left, right], y.shape, y.padded);
  e.call("binary", binaryFunctions[name].code, dims, pointer(y), pointer(a), pointer(b), ...numbers);
}

/**
 * Stored as readers want it, or like the first operand that is as large as the output: always if neighbours differ, for
 * a copy block by block costs less than to compute with numbers from everywhere.
 */
export function outputLike(e: Emitter, value: ValueId, operands: readonly View[]): View {
  const shape = e.shape(value);
  const like = operands.find(
    (view) => view.shape.join() === shape.join() && view.strides.every((s, i) => s > 0 || shape[i] === 1),
  );
  const wanted = e.wanted(value);
  if (like === undefined || (wanted !== undefined && sharesNeighbours(like, wanted))) return e.output(value);
  const view = e.allocate(shape, layoutOf(like));
  e.set(value, view);
  return view;
}

function sharesNeighbours(view: View, { order }: Layout): boolean {
  const inner = order.findLast((axis) => view.shape[axis]! > 1);
  return inner === undefined || view.strides[inner] === 1;
}

const unary = (name: UnaryName): Emit =>
  ofFloats((e, { inputs, node }) => {
    const x = e.view(inputs[0]!);
    emitUnary(e, name, outputLike(e, node.outputs[0]!, [x]), x);
  });

const binary = <A extends Attributes>(name: BinaryName, numbers?: (attributes: A) => Numbers): Emit<A> =>
  ofFloats(ofAny(name, numbers));

const ofAny =
  <A extends Attributes>(name: BinaryName, numbers?: (attributes: A) => Numbers): Emit<A> =>
  (e, { inputs, node, attributes }) => {
    const [a, b] = inputs.map((id) => e.view(id)) as [View, View];
    const y = outputLike(e, node.outputs[0]!, [a, b]);
    // An operand that crosses the rows of a large output is brought into its order first; if it is fixed, once for all.
    const straight = (view: View) =>
      crosses(view, y) && (e.isFixed(view) || same(view, y)) ? e.copy(view, alike(view, y)) : view;
    emitBinary(e, name, y, straight(a), straight(b), numbers?.(attributes));
  };

const same = (a: View, b: View) => countElements(a.shape) === countElements(b.shape);

/** Whether y's neighbours are no neighbours in x. */
function crosses(x: View, y: View): boolean {
  const repeated = expandView(x, y.shape);
  const inner = y.strides.findIndex((stride, axis) => stride === 1 && y.shape[axis]! > 1);
  return inner >= 0 && repeated.strides[inner]! > 1;
}

/** y's order of axes for a view of lower or equal rank. */
function alike(x: View, y: View) {
  const lead = y.shape.length - x.shape.length;
  const { order } = layoutOf(y);
  return { order: order.filter((axis) => axis >= lead).map((axis) => axis - lead), run: x.shape.length };
}

export const elementwise: Emits = {
  Add(e, call) {
    const integers = call.inputs.every((value) => e.graph.values[value]!.dtype === "int32");
    (integers ? ofAny("AddIntegers") : binary("Add"))(e, call);
  },
  Sub: binary("Sub"),
  Mul: binary("Mul"),
  Div: binary("Div"),
  ReluGradient: binary("ReluGradient"),
  GeluGradient: binary("GeluGradient"),
  EluGradient: binary("EluGradient"),
  ClipGradient: binary("ClipGradient", ({ min = -Infinity, max = Infinity }) => [min, max]),
  DropoutTraining: binary("DropoutTraining", ({ ratio }) => [ratio, 1 / (1 - ratio)]),
  Sqrt: unary("Sqrt"),
  Relu: unary("Relu"),
  Gelu: unary("Gelu"),
  Exp: unary("Exp"),
  Elu: unary("Elu"),
  Sigmoid: unary("Sigmoid"),
  Tanh: unary("Tanh"),
  Clip: ofFloats((e, { inputs, node, attributes: { min, max } }) => {
    const x = e.view(inputs[0]!);
    const y = outputLike(e, node.outputs[0]!, [x]);
    if (min !== undefined || max === undefined) emitUnary(e, "AtLeast", y, x, min ?? -Infinity);
    if (max !== undefined) emitUnary(e, "AtMost", y, min === undefined ? x : y, max);
  }),
  Scale: ofFloats((e, { inputs, node, attributes }) => {
    const x = e.view(inputs[0]!);
    const factor = scaleFactor(attributes, e.batchSize);
    emitUnary(e, "Scale", outputLike(e, node.outputs[0]!, [x]), x, factor);
  }),
};
