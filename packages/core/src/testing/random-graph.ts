import { Builder, type Value } from "../graph/builder.ts";
import { batch, countElements, type Extent, elementsOf, factorOf, isBatch } from "../graph/extent.ts";
import { float32, type TensorData } from "../graph/tensor.ts";
import { batchNormalizationOperator } from "../operators/batch-normalization.ts";
import { expand, reduceSum } from "../operators/broadcast.ts";
import { add, div, gelu, mul, relu, sqrt, sub, tanh } from "../operators/elementwise.ts";
import { gather } from "../operators/gather.ts";
import { layerNormalization } from "../operators/layer-normalization.ts";
import { reshape, swapAxes, transpose } from "../operators/layout.ts";
import { matMul } from "../operators/matmul.ts";
import { randomStream } from "../operators/random.ts";
import { scale } from "../operators/scale.ts";
import { concat, pad, slice } from "../operators/slice.ts";
import { softmax } from "../operators/softmax.ts";

/** A graph of random operators and the tensors it needs, which fusion must handle in any combination. */
export function randomGraph(seed: number, size = 14) {
  const random = randomStream(seed, "graph");
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const b = Builder.create();
  const tensors = new Map<string, TensorData>();
  const tensor = (shape: readonly number[]): Value => {
    const name = `tensor ${tensors.size}`;
    const next = randomStream(seed, name);
    const data = Array.from({ length: countElements(shape) }, () => 2 * next() - 1);
    tensors.set(name, float32(shape, data));
    return b.tensor(name, "buffer", { dtype: "float32", shape });
  };
  const extents = [1, 2, 3, 4, 5, 8, 12];
  const values: Value[] = [
    b.input("x", [batch, pick(extents), pick(extents)]),
    b.input("y", [batch, pick(extents), pick(extents), pick([2, 4, 8])]),
    tensor([pick(extents), pick(extents)]),
  ];
  /** The size of an axis, leaving the batch out. */
  const fixed = (extent: Extent) => (isBatch(extent) ? 0 : extent);
  /** Another value, or a new tensor, that broadcasts with x. */
  const partner = (x: Value): Value => {
    const known = values.filter(
      (y) =>
        y.shape.length <= x.shape.length &&
        y.shape.every((extent, i) => {
          const own = x.shape[i + x.shape.length - y.shape.length]!;
          return (isBatch(own) === isBatch(extent) && factorOf(own) === factorOf(extent)) || extent === 1;
        }),
    );
    if (known.length > 1 && random() < 0.6) return pick(known);
    const rank = Math.floor(random() * (x.shape.length + 1));
    const shape = x.shape.slice(x.shape.length - rank).map((e) => (isBatch(e) || random() < 0.3 ? 1 : e));
    return tensor(shape as number[]);
  };
  const softened = (x: Value) => tanh(b, x);
  const operators: ((x: Value) => Value | undefined)[] = [
    (x) => add(b, x, partner(x)),
    (x) => sub(b, x, partner(x)),
    (x) => mul(b, softened(x), partner(x)),
    (x) => div(b, x, add(b, b.constant(2), tanh(b, partner(x)))),
    (x) => relu(b, x),
    (x) => gelu(b, x),
    (x) => scale(b, x, 0.7, 2),
    (x) => sqrt(b, add(b, mul(b, x, x), b.constant(0.1))),
    (x) => {
      const order = x.shape.map((_, axis) => axis);
      const [i, j] = [pick(order), pick(order)];
      return i === j ? undefined : swapAxes(b, x, i, j);
    },
    (x) => (x.shape.length < 3 ? undefined : transpose(b, x, [...x.shape.map((_, i) => i).slice(1), 0])),
    (x) => {
      const axis = x.shape.findIndex((extent) => fixed(extent) % 4 === 0 && fixed(extent) > 0);
      if (axis < 0 || x.shape.length > 4) return undefined;
      return reshape(
        b,
        x,
        x.shape.toSpliced(axis, 1, pick([2, 4]), -1).map((e, i, all) => {
          return e === -1 ? fixed(x.shape[axis]!) / (all[i - 1] as number) : e;
        }),
      );
    },
    (x) => {
      if (x.shape.length < 3) return undefined;
      const at = Math.floor(random() * (x.shape.length - 1));
      const pair = x.shape.slice(at, at + 2);
      return reshape(b, x, x.shape.toSpliced(at, 2, elementsOf(pair)));
    },
    (x) => {
      const axis = x.shape.findIndex((extent) => fixed(extent) >= 3);
      return axis < 0 ? undefined : slice(b, x, axis, 1, fixed(x.shape[axis]!) - Math.floor(random() * 2));
    },
    (x) => {
      const axis = x.shape.findLastIndex((extent) => fixed(extent) >= 1);
      return axis < 0 ? undefined : concat(b, [x, softened(x)], axis);
    },
    (x) => {
      const axis = x.shape.findLastIndex((extent) => fixed(extent) >= 2);
      return axis < 0 ? undefined : pad(b, x, axis, 1, 2, pick(["constant", "edge", "wrap"] as const));
    },
    (x) => {
      const axis = x.shape.findIndex((extent) => fixed(extent) >= 2);
      if (axis < 0) return undefined;
      const indices = Array.from({ length: 4 }, () => Math.floor(random() * fixed(x.shape[axis]!)));
      return gather(b, x, b.indices(`indices ${values.length}`, [4], indices), axis);
    },
    (x) => {
      const axis = x.shape.indexOf(1);
      return axis < 0 ? undefined : expand(b, x, x.shape.with(axis, 4));
    },
    (x) => scale(b, reduceSum(b, x, [Math.floor(random() * x.shape.length)], random() < 0.5), 0.3),
    (x) => (fixed(x.shape.at(-1) ?? 0) === 0 ? undefined : softmax(b, x, -1)),
    (x) => (x.shape.length < 2 || isBatch(x.shape[1]!) ? undefined : softmax(b, x, 1)),
    (x) => {
      const width = fixed(x.shape.at(-1) ?? 0);
      return width < 2 ? undefined : layerNormalization(b, x, tensor([width]), tensor([width]), 0.1);
    },
    (x) => {
      const width = fixed(x.shape[1] ?? 0);
      if (width === 0) return undefined;
      const [s, shift, mean, variance] = [0, 1, 2, 3].map(() => tensor([width])) as Value[];
      const positive = add(b, mul(b, variance!, variance!), b.constant(0.5));
      return b.apply(batchNormalizationOperator, [x, s!, shift!, mean!, positive], {
        epsilon: 1e-5,
        momentum: 0.1,
      });
    },
    (x) => {
      const inner = fixed(x.shape.at(-1) ?? 0);
      if (x.shape.length < 2 || inner === 0) return undefined;
      return scale(b, matMul(b, x, tensor([inner, pick(extents)])), 0.3);
    },
    (x) => {
      if (x.shape.length < 3 || x.shape.slice(-2).some(isBatch)) return undefined;
      const scores = scale(b, matMul(b, softened(x), swapAxes(b, x, -1, -2)), 0.3);
      return matMul(b, softmax(b, scores, -1), x);
    },
  ];
  for (let tries = 0; values.length < size && tries < 20 * size; tries++) {
    // Prefers late values, so that chains form.
    const x = values[Math.floor(values.length * Math.sqrt(random()))]!;
    const made = pick(operators)(x);
    if (made === undefined || made.shape.length > 5 || made.shape.some((e) => fixed(e) > 200)) continue;
    values.push(made);
  }
  const last = values.slice(-3);
  last.forEach((value, i) => {
    b.output(`y${i}`, value);
  });
  if (random() < 0.5) b.output("early", values[4]!);
  const { graph, data } = b.build();
  return { graph, tensors: new Map([...tensors, ...data]) };
}
