import { UnreadableError } from "./errors.ts";
import { build, checkElements, type Known, type Pair, pairAt } from "./known.ts";

/** Layout of known arrays: every operation determines, for each element of the result, which element of the input it is. */

function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result[axis] = step;
    step *= shape[axis]!;
  }
  return result;
}

/** Positions along each axis of element i. */
export function indexOf(shape: readonly number[], i: number): number[] {
  const index = new Array<number>(shape.length);
  let rest = i;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = (rest - index[axis]!) / shape[axis]!;
  }
  return index;
}

/** For each element of a shape, in row-major order, the sum of its positions times a step for each axis. */
function offsets(shape: readonly number[], steps: readonly number[]): Int32Array {
  const result = new Int32Array(checkElements(shape));
  const index = shape.map(() => 0);
  let offset = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += steps[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      offset -= steps[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/** The index into an array of shape `from` for each element of the shape it is broadcast to. */
export function broadcastOffsets(from: readonly number[], to: readonly number[]): Int32Array {
  const own = strides(from);
  const lead = to.length - from.length;
  const steps = to.map((_, axis) => ((from[axis - lead] ?? 1) === 1 ? 0 : own[axis - lead]!));
  return offsets(to, steps);
}

/** An array of another shape whose element i is element `from[i]` of `x`. */
function pick(x: Known, shape: readonly number[], from: Int32Array): Known {
  return build(x.kind, shape, (i) => pairAt(x, from[i]!));
}

export function expandKnown(x: Known, shape: readonly number[]): Known {
  return pick(x, shape, broadcastOffsets(x.shape, shape));
}

export function transposeKnown(x: Known, perm: readonly number[]): Known {
  const own = strides(x.shape);
  const shape = perm.map((axis) => x.shape[axis]!);
  return pick(
    x,
    shape,
    offsets(
      shape,
      perm.map((axis) => own[axis]!),
    ),
  );
}

/** Takes positions along one axis, in the given order. */
export function takeKnown(x: Known, axis: number, positions: readonly number[]): Known {
  const shape = x.shape.with(axis, positions.length);
  const inner = x.shape.slice(axis + 1).reduce((n, extent) => n * extent, 1);
  const extent = x.shape[axis]!;
  return build(x.kind, shape, (i) => {
    const along = Math.floor(i / inner);
    const outer = Math.floor(along / positions.length);
    return pairAt(x, (outer * extent + positions[along % positions.length]!) * inner + (i % inner));
  });
}

/** Positions along an axis of an initialiser, as a weight or table of their own. */
export function partOf(x: Known, axis: number, positions: readonly number[]): Known {
  const { source } = x;
  const taken = takeKnown(x, axis, positions);
  if (source === undefined) return taken;
  return { ...taken, source: { ...source, part: `${source.part ?? ""}${axis}:${positions.join()};` } };
}

export function reshapeKnown(x: Known, shape: readonly number[]): Known {
  const { source: _source, ...rest } = x;
  return { ...rest, shape };
}

/** Arrays one after the other along an axis. */
export function concatKnown(parts: readonly Known[], axis: number): Known {
  const { kind, shape: first } = parts[0]!;
  const whole = parts.reduce((n, part) => n + part.shape[axis]!, 0);
  const shape = first.with(axis, whole);
  const data = new Float64Array(checkElements(shape));
  const powers = parts.some((part) => part.powers) ? new Int8Array(data.length) : undefined;
  const outer = first.slice(0, axis).reduce((n, extent) => n * extent, 1);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const part of parts) {
      const run = part.data.length / outer;
      data.set(part.data.subarray(o * run, (o + 1) * run), at);
      if (part.powers) powers!.set(part.powers.subarray(o * run, (o + 1) * run), at);
      at += run;
    }
  }
  return { kind, shape, data, ...(powers && { powers }) };
}

/** Combines all elements along some axes; reduced axes keep extent 1. */
export function reduceKnown(x: Known, axes: ReadonlySet<number>, combine: (a: Pair, b: Pair) => Pair): Known {
  const shape = x.shape.map((extent, axis) => (axes.has(axis) ? 1 : extent));
  const own = strides(shape);
  const to = offsets(
    x.shape,
    own.map((stride, axis) => (axes.has(axis) ? 0 : stride)),
  );
  const result = new Array<Pair | undefined>(checkElements(shape)).fill(undefined);
  for (let i = 0; i < x.data.length; i++) {
    const before = result[to[i]!];
    result[to[i]!] = before === undefined ? pairAt(x, i) : combine(before, pairAt(x, i));
  }
  if (result.includes(undefined)) throw new UnreadableError("nothing can be combined along an empty axis");
  return build(x.kind, shape, (i) => result[i]!);
}
