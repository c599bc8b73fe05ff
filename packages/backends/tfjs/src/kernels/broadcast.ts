import type { Tensor, Tf } from "../tensorflow-js.ts";

/**
 * Repeats axes of extent 1 to fill a shape. Neighbouring axes that are treated alike are taken as one: the WebGPU backend
 * repeats tensors of five axes and more on the processor, after a readback that only pages can do.
 */
export function broadcast(tf: Tf, x: Tensor, shape: readonly number[]): Tensor {
  const lead = shape.length - x.shape.length;
  const groups: { from: number; to: number }[] = [];
  for (const [axis, to] of shape.entries()) {
    if (to === 1) continue;
    const from = axis < lead ? 1 : x.shape[axis - lead]!;
    const last = groups.at(-1);
    if (last !== undefined && (last.from === last.to) === (from === to)) {
      last.from *= from;
      last.to *= to;
    } else groups.push({ from, to });
  }
  const before = tf.reshape(
    x,
    groups.map(({ from }) => from),
  );
  const repeated = tf.broadcastTo(before, groups.map(({ to }) => to) as never);
  return tf.reshape(repeated, [...shape]);
}
