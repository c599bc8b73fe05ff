import { build, checkElements, type Known, type Pair, pairAt } from "./known.ts";

/** Layout of known arrays: every operation says which element of the input each element of the result is. */

export function strides(shape: readonly number[]): number[] {
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

/** Which element of an array of shape `from` is read for element i of one it is broadcast to. */
export function broadcastPositions(from: readonly number[], to: readonly number[]): (i: number) => number {
  const own = strides(from);
  const lead = to.length - from.length;
  return (i) =>
    indexOf(to, i).reduce((at, position, axis) => {
      const extent = from[axis - lead];
      return extent === undefined || extent === 1 ? at : at + position * own[axis - lead]!;
    }, 0);
}

/** An array of another shape, element i of it being element `from(i)` of `x`. */
export function pick(x: Known, shape: readonly number[], from: (i: number) => number): Known {
  return build(x.kind, shape, (i) => pairAt(x, from(i)));
}

export function expandKnown(x: Known, shape: readonly number[]): Known {
  return pick(x, shape, broadcastPositions(x.shape, shape));
}

export function transposeKnown(x: Known, perm: readonly number[]): Known {
  const own = strides(x.shape);
  const shape = perm.map((axis) => x.shape[axis]!);
  return pick(x, shape, (i) => indexOf(shape, i).reduce((at, p, axis) => at + p * own[perm[axis]!]!, 0));
}

/** Positions of one axis, in the order given. */
export function takeKnown(x: Known, axis: number, positions: readonly number[]): Known {
  const shape = x.shape.with(axis, positions.length);
  const inner = x.shape.slice(axis + 1).reduce((n, extent) => n * extent, 1);
  const extent = x.shape[axis]!;
  return pick(x, shape, (i) => {
    const along = Math.floor(i / inner);
    const outer = Math.floor(along / positions.length);
    return (outer * extent + positions[along % positions.length]!) * inner + (i % inner);
  });
}

export function reshapeKnown(x: Known, shape: readonly number[]): Known {
  const { source: _source, ...rest } = x;
  return { ...rest, shape };
}

export function concatKnown(parts: readonly Known[], axis: number): Known {
  const [first] = parts;
  const whole = parts.reduce((n, part) => n + part.shape[axis]!, 0);
  const shape = first!.shape.with(axis, whole);
  const owner = parts.flatMap((part, p) =>
    Array.from({ length: part.shape[axis]! }, (_, at) => [p, at] as const),
  );
  const own = parts.map((part) => strides(part.shape));
  return build(first!.kind, shape, (i) => {
    const index = indexOf(shape, i);
    const [p, at] = owner[index[axis]!]!;
    return pairAt(
      parts[p]!,
      index.with(axis, at).reduce((sum, q, k) => sum + q * own[p]![k]!, 0),
    );
  });
}

/** Combines all elements along some axes, one after the other; reduced axes are 1 long. */
export function reduceKnown(x: Known, axes: ReadonlySet<number>, combine: (a: Pair, b: Pair) => Pair): Known {
  const shape = x.shape.map((extent, axis) => (axes.has(axis) ? 1 : extent));
  const own = strides(shape);
  const result = new Array<Pair | undefined>(checkElements(shape)).fill(undefined);
  for (let i = 0; i < x.data.length; i++) {
    const at = indexOf(x.shape, i).reduce((sum, p, axis) => (axes.has(axis) ? sum : sum + p * own[axis]!), 0);
    const before = result[at];
    result[at] = before === undefined ? pairAt(x, i) : combine(before, pairAt(x, i));
  }
  if (result.includes(undefined)) throw new RangeError("nothing can be combined along an empty axis");
  return build(x.kind, shape, (i) => result[i]!);
}
