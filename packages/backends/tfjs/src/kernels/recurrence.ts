import type { Tensor, Tf } from "../tensorflow-js.ts";
import type { Call, Kernels } from "./kernel.ts";

/** Recurrent cells, step by step, from TensorFlow.js's own operators. */

/** Values of all steps, one by one. Gates [T, N, G, H] become G · H columns. */
const steps = (tf: Tf, values: Tensor): Tensor[] => tf.unstack(columns(tf, values));

function columns(tf: Tf, values: Tensor): Tensor {
  const [count, sequences, ...rest] = values.shape as [number, number, ...number[]];
  return tf.reshape(values, [count, sequences, rest.reduce((n, extent) => n * extent, 1)]);
}

/** The recurrent weight [G, H, H] as [G · H, H]. */
const rows = (tf: Tf, weight: Tensor): Tensor => tf.reshape(weight, [-1, weight.shape[2]!]);

const product = (tf: Tf, x: Tensor, weight: Tensor, transposed = false): Tensor =>
  tf.matMul(x as never, weight as never, false, transposed);

/** Columns of a step's gates, gate by gate. */
const split = (tf: Tf, gates: Tensor, count: number): Tensor[] => tf.split(gates, count, 1);

/** The order in which a cell takes its steps. */
function order(count: number, backwards: boolean): number[] {
  const all = Array.from({ length: count }, (_, step) => step);
  return backwards ? all.reverse() : all;
}

type RecurrentCall = Call<{ readonly reverse: boolean }>;

function lstm({ tf, inputs: [gates, weight, h0, c0], attributes }: RecurrentCall): Tensor[] {
  const [given, matrix] = [steps(tf, gates!), rows(tf, weight!)];
  const [states, cells]: [Tensor[], Tensor[]] = [[], []];
  let [h, c] = [h0!, c0!];
  for (const t of order(given.length, attributes.reverse)) {
    const [i, o, f, g] = split(tf, tf.add(given[t]!, product(tf, h, matrix, true)), 4) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
    h = tf.mul(tf.sigmoid(o), tf.tanh(c));
    [states[t], cells[t]] = [h, c];
  }
  return [tf.stack(states), tf.stack(cells)];
}

/** The slope of the logistic function at its value s, and of tanh at its value s. */
const slope = (tf: Tf, s: Tensor): Tensor => tf.sub(s, tf.square(s));
const bend = (tf: Tf, s: Tensor): Tensor => tf.sub(1, tf.square(s));

function lstmGradient(call: RecurrentCall): Tensor[] {
  const { tf, inputs, attributes } = call;
  const [sums, weight, c, before, dh, dc] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const matrix = rows(tf, weight);
  const [given, cells, earlier, ups, ownCells] = [sums, c, before, dh, dc].map((value) =>
    steps(tf, value),
  ) as [Tensor[], Tensor[], Tensor[], Tensor[], Tensor[]];
  const dgates: Tensor[] = [];
  let [state, memory] = [tf.zerosLike(ups[0]!), tf.zerosLike(ups[0]!)];
  for (const t of order(given.length, !attributes.reverse)) {
    const parts = split(tf, given[t]!, 4);
    const [i, o, f] = parts.slice(0, 3).map((part) => tf.sigmoid(part)) as [Tensor, Tensor, Tensor];
    const [g, bent] = [tf.tanh(parts[3]!), tf.tanh(cells[t]!)];
    const up = tf.add(ups[t]!, state);
    const through = tf.add(tf.add(ownCells[t]!, memory), tf.mul(tf.mul(up, o), bend(tf, bent)));
    const own = [
      tf.mul(tf.mul(through, g), slope(tf, i)),
      tf.mul(tf.mul(up, bent), slope(tf, o)),
      tf.mul(tf.mul(through, earlier[t]!), slope(tf, f)),
      tf.mul(tf.mul(through, i), bend(tf, g)),
    ];
    dgates[t] = tf.concat(own, 1);
    memory = tf.mul(through, f);
    state = product(tf, dgates[t]!, matrix);
  }
  return [tf.reshape(tf.stack(dgates), sums.shape), state, memory];
}

function gru({ tf, inputs: [gates, weight, bias, h0], attributes }: RecurrentCall): Tensor {
  const [given, matrix] = [steps(tf, gates!), rows(tf, weight!)];
  const shift = tf.reshape(bias!, [1, -1]);
  const states: Tensor[] = [];
  let h = h0!;
  for (const t of order(given.length, attributes.reverse)) {
    const own = split(tf, given[t]!, 3);
    const q = split(tf, tf.add(product(tf, h, matrix, true), shift), 3);
    const [z, r] = [0, 1].map((i) => tf.sigmoid(tf.add(own[i]!, q[i]!))) as [Tensor, Tensor];
    const n = tf.tanh(tf.add(own[2]!, tf.mul(r, q[2]!)));
    h = tf.add(n, tf.mul(z, tf.sub(h, n)));
    states[t] = h;
  }
  return tf.stack(states);
}

function gruGradient({ tf, inputs, attributes }: RecurrentCall): Tensor[] {
  const [gates, products, weight, before, dh] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const matrix = rows(tf, weight);
  const [given, sums, earlier, ups] = [gates, products, before, dh].map((value) => steps(tf, value)) as [
    Tensor[],
    Tensor[],
    Tensor[],
    Tensor[],
  ];
  const [dgates, dproducts]: [Tensor[], Tensor[]] = [[], []];
  let state = tf.zerosLike(ups[0]!);
  for (const t of order(given.length, !attributes.reverse)) {
    const [own, q] = [split(tf, given[t]!, 3), split(tf, sums[t]!, 3)];
    const [z, r] = [0, 1].map((i) => tf.sigmoid(tf.add(own[i]!, q[i]!))) as [Tensor, Tensor];
    const n = tf.tanh(tf.add(own[2]!, tf.mul(r, q[2]!)));
    const up = tf.add(ups[t]!, state);
    const dn = tf.mul(tf.mul(up, tf.sub(1, z)), bend(tf, n));
    const dr = tf.mul(tf.mul(dn, q[2]!), slope(tf, r));
    const dz = tf.mul(tf.mul(up, tf.sub(earlier[t]!, n)), slope(tf, z));
    dgates[t] = tf.concat([dz, dr, dn], 1);
    dproducts[t] = tf.concat([dz, dr, tf.mul(dn, r)], 1);
    state = tf.add(tf.mul(up, z), product(tf, dproducts[t]!, matrix));
  }
  return [...[dgates, dproducts].map((parts) => tf.reshape(tf.stack(parts), gates.shape)), state];
}

export const recurrence: Kernels = {
  LSTM: lstm,
  LSTMGradient: lstmGradient,
  GRU: gru,
  GRUGradient: gruGradient,
};
