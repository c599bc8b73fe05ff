import { add, matMul, reshape, type Shape, scale, swapAxes, type Value } from "@espalier/core";
import { type Call, input, lift, type Rule, spread, valueInput } from "../call.ts";
import { type Item, isKnown } from "../items.ts";

/** Matrix products. */

/** An operand; a matrix on the right whose name was lost is kept as PyTorch has it, [out, in]. */
function factor(call: Call, i: number): Value {
  return lift(call, input(call, i), { as: "weight", restore: i === 1 });
}

/** Vectors count as a row on the left, as a column on the right; the axis added goes again. */
const matMulRule: Rule = (call) => {
  const { b } = call;
  const [left, right] = [factor(call, 0), factor(call, 1)];
  const row = left.shape.length === 1;
  const column = right.shape.length === 1;
  const x = row ? reshape(b, left, [1, ...left.shape]) : left;
  const y = column ? reshape(b, right, [...right.shape, 1]) : right;
  const lead = (shape: Shape) => [...shape.slice(0, -2), 1, 1];
  const product = matMul(b, spread(call, x, lead(y.shape)), spread(call, y, lead(x.shape)));
  const { shape } = product;
  const kept = shape.filter(
    (_, axis) => !(row && axis === shape.length - 2) && !(column && axis === shape.length - 1),
  );
  return reshape(b, product, kept);
};

/** α·A·B + β·C, either factor transposed. */
const gemm: Rule = (call) => {
  const { b, attributes } = call;
  const transposed = (name: string) => attributes.int(name, 0) !== 0;
  const left = valueInput(call, 0, { as: "weight" });
  // A weight [out, in] is transposed in the call; one that the exporter transposed itself has lost its name.
  const right = valueInput(call, 1, { as: "weight", restore: !transposed("transB") });
  const x = transposed("transA") ? swapAxes(b, left, 0, 1) : left;
  const y = transposed("transB") ? swapAxes(b, right, 0, 1) : right;
  const product = scaled(call, matMul(b, x, y), attributes.float("alpha", 1));
  const beta = attributes.float("beta", 1);
  if (call.inputs[2] === undefined || beta === 0) return product;
  return add(b, product, scaled(call, lift(call, bias(call), { as: "bias" }), beta));
};

/** The third operand; one row of it is a vector. */
function bias(call: Call): Item {
  const item = input(call, 2);
  if (!isKnown(item) || item.shape.length !== 2 || item.shape[0] !== 1) return item;
  return { ...item, shape: item.shape.slice(1) };
}

function scaled({ b }: Call, x: Value, by: number): Value {
  return by === 1 ? x : scale(b, x, by);
}

export const products: Readonly<Record<string, Rule>> = { MatMul: matMulRule, Gemm: gemm };
