import {
  type CumSumAttributes,
  type DftAttributes,
  type PadAttributes,
  type PoolAttributes,
  paddedFrom,
} from "@espalier/core/graph";
import { aroundAxis, dftLayout } from "../layouts.ts";
import { type Emission, float, reshape, transpose } from "./emission.ts";

/** Operators that run along one axis: sums, windows, transforms, padding. */

export function cumSum({ def, node, inputs, attributes }: Emission<CumSumAttributes>): string {
  const { axis, exclusive, reverse } = attributes;
  return def.node("Cumsum", node.name, [inputs[0]!, def.integer(axis)], {
    ...float,
    Tidx: { type: "DT_INT32" },
    exclusive: { b: exclusive },
    reverse: { b: reverse },
  });
}

/** The least float32, which no window chooses. */
const least = -(2 - 2 ** -23) * 2 ** 127;

export function maxPool(call: Emission<PoolAttributes>): string {
  return reshape(call, call.node.name, slide("MaxPool", call, least), call.outputs[0]!);
}

/** Windows over zeros divide by the whole kernel; a factor makes up for positions outside. */
export function averagePool(call: Emission<PoolAttributes>): string {
  const { def, node, shapes, outputs } = call;
  const { axis, kernel, stride, before, after } = call.attributes;
  const extent = shapes[0]![axis] as number;
  const count = outputs[0]![axis] as number;
  let pooled = slide("AvgPool", call, 0);
  if (before > 0 || after > 0) {
    const factors = Float32Array.from({ length: count }, (_, i) => {
      const start = i * stride - before;
      return kernel / (Math.min(extent, start + kernel) - Math.max(0, start));
    });
    const shape = [count, 1, 1];
    const shares = def.shared(`shares ${[extent, kernel, stride, before, after]}`, {
      dtype: "float32",
      shape,
      data: factors,
    });
    pooled = def.node("Mul", `${node.name}/shares`, [pooled, shares], float);
  }
  return reshape(call, node.name, pooled, outputs[0]!);
}

/**
 * The windows of a pool, as those of images [before, axis, 1, after], so that no axis has to move. Padding is written
 * explicitly, because TensorFlow.js's graphs only have padding by name.
 */
function slide(op: "AvgPool" | "MaxPool", call: Emission<PoolAttributes>, outside: number): string {
  const { def, node, inputs, shapes } = call;
  const { axis, kernel, stride, before, after } = call.attributes;
  const [outer, extent, inner] = aroundAxis(shapes[0]!, axis);
  let images = reshape(call, `${node.name}/images`, inputs[0]!, [outer, extent, 1, inner]);
  if (before > 0 || after > 0) {
    const amounts = def.integers([0, 0, before, after, 0, 0, 0, 0], [4, 2]);
    images = padV2(call, `${node.name}/padded`, images, amounts, outside);
  }
  const list = (along: number) => ({ list: { i: [1, along, 1, 1].map(String) } });
  return def.node(op, `${node.name}/windows`, [images], {
    ...float,
    ksize: list(kernel),
    strides: list(stride),
    padding: { s: btoa("VALID") },
    data_format: { s: btoa("NHWC") },
  });
}

/** A product with the matrix of the transform: TensorFlow.js transforms along the last axis only, and complex numbers. */
export function dft(call: Emission<DftAttributes>): string {
  const { def, node, inputs, shapes, outputs } = call;
  const layout = dftLayout(shapes[0]!, outputs[0]!, call.attributes);
  const at = (part: string) => `${node.name}/${part}`;
  const turned = transpose(def, at("turned"), inputs[0]!, layout.perm);
  const rows = reshape(call, at("rows"), turned, layout.rows);
  const matrix = def.shared(layout.matrixName, layout.matrix);
  const product = def.node("BatchMatMulV2", at("product"), [rows, matrix], float);
  return transpose(def, node.name, reshape(call, at("spread"), product, layout.spread), layout.back);
}

export function pad(call: Emission<PadAttributes>): string {
  const { def, node, inputs, shapes } = call;
  const { axis, before, after, mode } = call.attributes;
  if (mode === "constant") {
    const paddings = shapes[0]!.flatMap((_, i) => (i === axis ? [before, after] : [0, 0]));
    return padV2(call, node.name, inputs[0]!, def.integers(paddings, [shapes[0]!.length, 2]), 0);
  }
  // TensorFlow only pads with constants and mirrored values.
  const extent = shapes[0]![axis] as number;
  const from = Array.from(
    { length: before + extent + after },
    (_, i) => paddedFrom(i - before, extent, mode)!,
  );
  return def.node("GatherV2", node.name, [inputs[0]!, def.integers(from), def.integer(axis)], float);
}

function padV2({ def }: Emission, name: string, x: string, amounts: string, value: number): string {
  return def.node("PadV2", name, [x, amounts, def.scalar(value)], {
    ...float,
    Tpaddings: { type: "DT_INT32" },
  });
}
