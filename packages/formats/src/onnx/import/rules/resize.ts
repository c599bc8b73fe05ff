import { isBatch, matMul, swapAxes, type Value } from "@espalier/core/graph";
import { axisOf, type Call, fixedExtent, knownInput, lift, type Rule, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { build, plainNumbers } from "../known.ts";

/** Resampling along axes: each is a product with the matrix of its interpolation. */

/** Mapping from positions of the result to positions of the input. */
interface Grid {
  readonly from: number;
  readonly to: number;
  /** The given scale, or `to ÷ from` if sizes are given. */
  readonly scale: number;
}

const { fround } = Math;

/**
 * The input position of position `at` of the result, by `coordinate_transformation_mode`: in single precision, as runtimes
 * compute it, so that a position between two others is rounded to the same one.
 */
function coordinate(mode: string, at: number, { from, to, scale }: Grid): number {
  const middle = () => fround(fround(at + 0.5) / scale);
  const centre = () => fround(middle() - 0.5);
  switch (mode) {
    case "half_pixel":
      return centre();
    case "half_pixel_symmetric": {
      const adjustment = fround(to / fround(scale * from));
      return fround(fround(fround(from / 2) * fround(1 - adjustment) + middle()) - 0.5);
    }
    case "pytorch_half_pixel":
      return to > 1 ? centre() : 0;
    case "align_corners":
      if (Math.abs(fround(scale * from) - to) > 1e-3)
        throw new UnreadableError(
          `its scale makes ${Number((scale * from).toFixed(2))} of ${from} positions, which ONNX and its runtimes align differently. Export it with sizes`,
        );
      return to > 1 ? fround((at * (from - 1)) / (to - 1)) : 0;
    case "asymmetric":
      return fround(at / scale);
    default:
      throw new UnreadableError(`its coordinates ${mode.slice(0, 30)} are not supported`);
  }
}

const nearest: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** How a node interpolates. */
function interpolationOf({ attributes }: Call) {
  return {
    mode: attributes.text("mode", "nearest"),
    rounding: attributes.text("nearest_mode", "round_prefer_floor"),
    a: attributes.float("cubic_coeff_a", -0.75),
    coordinates: attributes.text("coordinate_transformation_mode", "half_pixel"),
    exclude: attributes.int("exclude_outside", 0) !== 0,
  };
}
type Interpolation = ReturnType<typeof interpolationOf>;

/** Weights of neighbours: [offset from the position's floor, weight]. */
function neighbours(
  { mode, rounding, a }: Interpolation,
  x: number,
): readonly (readonly [at: number, weight: number])[] {
  const floor = Math.floor(x);
  const part = x - floor;
  if (mode === "nearest") {
    const pick = Object.hasOwn(nearest, rounding) ? nearest[rounding] : undefined;
    if (pick === undefined)
      throw new UnreadableError(`its rounding ${rounding.slice(0, 30)} is not supported`);
    return [[pick(x), 1]];
  }
  if (mode === "linear")
    return [
      [floor, 1 - part],
      [floor + 1, part],
    ];
  if (mode !== "cubic") throw new UnreadableError(`its mode ${mode.slice(0, 30)} is not supported`);
  const near = (t: number) => ((a + 2) * t - (a + 3)) * t * t + 1;
  const far = (t: number) => ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  return [
    [floor - 1, far(1 + part)],
    [floor, near(part)],
    [floor + 1, near(1 - part)],
    [floor + 2, far(2 - part)],
  ];
}

/** The interpolation of one axis as a matrix [from, to]; beyond the borders the outermost value counts, or nothing. */
function matrix(by: Interpolation, grid: Grid): Float32Array {
  const { from, to } = grid;
  const entries = new Float64Array(from * to);
  for (let column = 0; column < to; column++) {
    const all = neighbours(by, coordinate(by.coordinates, column, grid));
    const inside = by.exclude ? all.filter(([at]) => at >= 0 && at < from) : all;
    const total = by.exclude ? inside.reduce((sum, [, weight]) => sum + weight, 0) : 1;
    for (const [at, weight] of inside) {
      const row = Math.min(Math.max(at, 0), from - 1);
      entries[row * to + column]! += weight / total;
    }
  }
  return Float32Array.from(entries);
}

const resize: Rule = (call) => {
  const { b, attributes } = call;
  const x = valueInput(call, 0);
  const interpolation = interpolationOf(call);
  const rank = x.shape.length;
  const axes = (attributes.ints("axes") ?? x.shape.map((_, i) => i)).map((axis) => axisOf(axis, rank));
  const scales = knownInput(call, 2, "scales");
  const factors = scales === undefined || scales.data.length === 0 ? undefined : plainNumbers(scales);
  const given = knownInput(call, 3, "sizes");
  const sizes = factors === undefined && given !== undefined ? given : undefined;
  if ((factors ?? sizes?.data)?.length !== axes.length)
    throw new UnreadableError("its scales or sizes do not fit its axes");
  return axes.reduce<Value>((value, axis, i) => {
    const extent = value.shape[axis]!;
    const size = sizes?.data[i];
    const open =
      isBatch(extent) &&
      (sizes?.powers?.[i] === 1 || size === extent.batch * (call.context.opened?.size ?? 0));
    if (factors === undefined ? open : factors[i] === 1) return value;
    const from = fixedExtent(extent, "resampling the batch axis");
    if ((sizes?.powers?.[i] ?? 0) !== 0) throw new UnreadableError("its size would depend on the batch size");
    const to = factors === undefined ? size! : Math.floor(fround(from * fround(factors[i]!)));
    if (to === from && factors === undefined) return value;
    if (!(to >= 1 && from * to <= 2 ** 22))
      throw new UnreadableError(`it resamples ${from} positions to ${to}`);
    const entries = matrix(interpolation, { from, to, scale: fround(factors?.[i] ?? to / from) });
    const known = build("float", [from, to], (at) => [entries[at]!, 0]);
    const weights = lift(call, known, {
      as: "operand",
      name: [call.module, "resampling"].filter(Boolean).join("."),
    });
    return swapAxes(b, matMul(b, swapAxes(b, value, axis, -1), weights), axis, -1);
  }, x);
};

export const resampling: Readonly<Record<string, Rule>> = { Resize: resize };
