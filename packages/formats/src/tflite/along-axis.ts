import {
  type CumSumAttributes,
  type DftAttributes,
  type PadAttributes,
  type PoolAttributes,
  paddedFrom,
} from "@espalier/core/graph";
import { aroundAxis, dftLayout } from "../layouts.ts";
import { drawing, type Emission, type Part } from "./emission.ts";
import { validPadding } from "./schema.ts";

/** Operators that run along one axis: sums, windows, transforms, padding. */

export function cumSum(call: Emission<CumSumAttributes>): Part {
  const { axis, exclusive, reverse } = call.attributes;
  const [x] = call.inputs;
  const options = { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 };
  return drawing(call).one("CUMSUM", [x, call.file.integers([axis], [])], x!.shape, options);
}

/** The least float32, which no window chooses. */
const least = -(2 - 2 ** -23) * 2 ** 127;

export function maxPool(call: Emission<PoolAttributes>): Part {
  return drawing(call).reshape(slide("MAX_POOL_2D", call, least), call.outputs[0]!);
}

/** Windows over zeros divide by the whole kernel; a factor makes up for positions outside. */
export function averagePool(call: Emission<PoolAttributes>): Part {
  const { axis, kernel, stride, before, after } = call.attributes;
  const draw = drawing(call);
  const [output] = call.outputs;
  const extent = call.inputs[0]!.shape[axis]!;
  let pooled = slide("AVERAGE_POOL_2D", call, 0);
  if (before > 0 || after > 0) {
    const data = Float32Array.from({ length: output![axis]! }, (_, i) => {
      const start = i * stride - before;
      return kernel / (Math.min(extent, start + kernel) - Math.max(0, start));
    });
    const shape = [data.length, 1, 1];
    const key = `shares ${[extent, kernel, stride, before, after]}`;
    pooled = draw.binary("MUL", pooled, call.file.shared(key, { dtype: "float32", shape, data }));
  }
  return draw.reshape(pooled, output!);
}

/** The windows of a pool, as those of images [before, axis, 1, after], so that no axis has to move. */
function slide(
  operator: "AVERAGE_POOL_2D" | "MAX_POOL_2D",
  call: Emission<PoolAttributes>,
  outside: number,
): Part {
  const { axis, kernel, stride, before, after } = call.attributes;
  const draw = drawing(call);
  const [x] = call.inputs;
  const [outer, extent, inner] = aroundAxis(x!.shape, axis) as [number, number, number];
  const images = padded(call, draw.reshape(x!, [outer, extent, 1, inner]), 1, before, after, outside);
  return draw.one(operator, [images], [outer, call.outputs[0]![axis]!, 1, inner], {
    padding: validPadding,
    strideWidth: 1,
    strideHeight: stride,
    filterWidth: 1,
    filterHeight: kernel,
  });
}

/** A product with the matrix of the transform. */
export function dft(call: Emission<DftAttributes>): Part {
  const [x] = call.inputs;
  const draw = drawing(call);
  const layout = dftLayout(x!.shape, call.outputs[0]!, call.attributes);
  const rows = draw.reshape(draw.transpose(x!, layout.perm), layout.rows as readonly number[]);
  const [inputs, outputs] = layout.matrix.shape as [number, number];
  const matrix = call.file.shared(layout.matrixName, {
    dtype: "float32",
    shape: [outputs, inputs],
    data: Float32Array.from(
      { length: inputs * outputs },
      (_, i) => layout.matrix.data[(i % inputs) * outputs + Math.floor(i / inputs)]!,
    ),
  });
  const product = draw.fullyConnected(rows, matrix);
  return draw.transpose(draw.reshape(product, layout.spread as readonly number[]), layout.back);
}

export function pad(call: Emission<PadAttributes>): Part {
  const { axis, before, after, mode } = call.attributes;
  const [x] = call.inputs;
  if (mode === "constant") return padded(call, x!, axis, before, after, 0);
  const extent = x!.shape[axis]!;
  const from = Array.from(
    { length: before + extent + after },
    (_, i) => paddedFrom(i - before, extent, mode)!,
  );
  return picked(call, x!, axis, from);
}

function padded(call: Emission, x: Part, axis: number, before: number, after: number, value: number): Part {
  if (before === 0 && after === 0) return x;
  const { file } = call;
  const amounts = file.integers(
    x.shape.flatMap((_, i) => (i === axis ? [before, after] : [0, 0])),
    [x.shape.length, 2],
  );
  const shape = x.shape.with(axis, x.shape[axis]! + before + after);
  const { one } = drawing(call);
  return value === 0
    ? one("PAD", [x, amounts], shape)
    : one("PADV2", [x, amounts, file.scalar(value)], shape);
}

/** More pieces than this are picked by GATHER. */
const mostPieces = 64;

/**
 * Elements at fixed positions along an axis: slices side by side, which XNNPACK has, unlike GATHER, if they are not too
 * many.
 */
export function picked(call: Emission, x: Part, axis: number, from: readonly number[]): Part {
  const { file } = call;
  const draw = drawing(call);
  const pieces = runs(from);
  const shape = x.shape.with(axis, from.length);
  if (pieces.length > mostPieces || x.type !== "float32")
    return draw.one("GATHER", [x, file.integers(from)], shape, { axis });
  return draw.concat(
    pieces.map(({ start, end, times }) => {
      const piece = draw.slice(x, axis, start, end);
      return times === 1 ? piece : draw.expand(piece, piece.shape.with(axis, times));
    }),
    axis,
  );
}

/** Positions as neighbours in order, and as one position several times. */
function runs(from: readonly number[]): { start: number; end: number; times: number }[] {
  const found: { start: number; end: number; times: number }[] = [];
  for (const at of from) {
    const last = found.at(-1);
    if (last !== undefined && last.times === 1 && at === last.end) last.end++;
    else if (last !== undefined && last.end === last.start + 1 && at === last.start) last.times++;
    else found.push({ start: at, end: at + 1, times: 1 });
  }
  return found;
}
