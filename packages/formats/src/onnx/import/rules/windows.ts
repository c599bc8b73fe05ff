import {
  add,
  averagePool,
  type Builder,
  type Extent,
  gather,
  matMul,
  maxPool,
  pad,
  printShape,
  reduceMean,
  reshape,
  sameShape,
  swapAxes,
  type Value,
} from "@espalier/core/graph";
import type { Attributes } from "../attributes.ts";
import { type Call, fixedExtent, indexValue, type Rule, valueInput } from "../call.ts";
import { UnreadableError } from "../errors.ts";
import { beforeReshape, permute, sliceAlong } from "../layout.ts";
import { listOf } from "../sizes.ts";
import { shown } from "../text.ts";

/** Convolutions and pooling: windows that slide along the axes after batch and channels. */

/** Movement of a window along one axis. */
interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
  /** Number of positions of the window. */
  readonly count: number;
}

/** One number for each axis, or another if the attribute is absent. */
function perAxis(attributes: Attributes, name: string, axes: number, otherwise: number): number[] {
  const values = attributes.ints(name) ?? Array.from({ length: axes }, () => otherwise);
  if (values.length !== axes || values.some((n) => !(n >= otherwise && n < 2 ** 24)))
    throw new UnreadableError(
      `its ${name} [${values.slice(0, 16).join(", ")}] ${values.length === axes ? "are out of range" : `are not ${axes} numbers`}`,
    );
  return values;
}

const paddings = ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"];

/** How the windows of a node move. */
function movesOf(attributes: Attributes, axes: number) {
  const auto = attributes.text("auto_pad", "NOTSET");
  if (!paddings.includes(auto))
    throw new UnreadableError(`its auto_pad ${shown(auto)} is none of ${paddings.join(", ")}`);
  const pads = perAxis(attributes, "pads", 2 * axes, 0);
  if (auto !== "NOTSET" && pads.some((n) => n !== 0))
    throw new UnreadableError(`its pads [${pads.slice(0, 16).join(", ")}] contradict its auto_pad ${auto}`);
  return {
    strides: perAxis(attributes, "strides", axes, 1),
    dilations: perAxis(attributes, "dilations", axes, 1),
    pads,
    auto,
  };
}

/** The windows of a node along its spatial axes, from `kernel_shape`, `strides`, `dilations`, `pads` and `auto_pad`. */
function windowsOf({ attributes }: Call, x: Value, kernels: readonly number[]): Window[] {
  const spatial = x.shape.slice(2).map((extent) => fixedExtent(extent, "a window along the batch axis"));
  if (kernels.length !== spatial.length)
    throw new UnreadableError(`its window has ${kernels.length} axes, its input ${printShape(x.shape)}`);
  const { strides, dilations, pads, auto } = movesOf(attributes, spatial.length);
  const ceil = attributes.int("ceil_mode", 0) !== 0;
  return spatial.map((extent, i) => {
    const [kernel, stride, dilation] = [kernels[i]!, strides[i]!, dilations[i]!];
    const reach = (kernel - 1) * dilation + 1;
    let [before, after] = [pads[i]!, pads[i + spatial.length]!];
    if (auto === "VALID") [before, after] = [0, 0];
    if (auto.startsWith("SAME")) {
      const total = Math.max(0, (Math.ceil(extent / stride) - 1) * stride + reach - extent);
      const less = Math.floor(total / 2);
      [before, after] = auto === "SAME_LOWER" ? [total - less, less] : [less, total - less];
    }
    let count = Math.floor((extent + before + after - reach) / stride) + 1;
    // A last window that extends beyond the end counts if it begins inside.
    if (ceil && (count - 1) * stride + reach < extent + before + after && count * stride < extent + before) {
      after += count * stride + reach - (extent + before + after);
      count++;
    }
    if (count < 1) throw new UnreadableError(`a window of ${reach} does not fit its ${extent} positions`);
    return { kernel, stride, dilation, before, after, count };
  });
}

/** x [N, C, …], weight [O, C ÷ groups, …] and bias [O] as one product of the windows' contents with the weight. */
const convolution: Rule = (call) => {
  const x = valueInput(call, 0);
  const weight = valueInput(call, 1, { as: "weight" });
  const groups = call.attributes.int("group", 1);
  const [out, within, ...kernels] = weight.shape as readonly number[];
  if (
    x.shape.length < 3 ||
    x.shape.length !== weight.shape.length ||
    x.shape[1] !== groups * within! ||
    out! % groups !== 0
  )
    throw new UnreadableError(
      `a weight ${printShape(weight.shape)} in ${groups} groups does not fit ${printShape(x.shape)}`,
    );
  checkKernel(call, kernels);
  return convolve(call, x, weight, groups, windowsOf(call, x, kernels));
};

/** Throws if the node declares another window than its weight has. */
function checkKernel({ attributes }: Call, kernels: readonly number[]): void {
  const declared = attributes.ints("kernel_shape") ?? kernels;
  if (declared.join() !== kernels.join())
    throw new UnreadableError(
      `its kernel_shape [${declared.slice(0, 16).join(", ")}] is not that of its weight [${kernels.join(", ")}]`,
    );
}

function convolve(call: Call, x: Value, weight: Value, groups: number, windows: readonly Window[]): Value {
  const { b } = call;
  const [out, within, ...kernels] = weight.shape as readonly [number, number, ...number[]];
  const spatial = windows.length;
  const counts = windows.map(({ count }) => count);
  const contents = windows.reduce((value, window, i) => unfold(call, value, 2 + 2 * i, window), x);
  // [N, C, n₁, k₁, n₂, k₂, …] → [N, n₁, n₂, …, C, k₁, k₂, …]
  const [positions, inside] = [0, 1].map((odd) => windows.map((_, i) => 2 + 2 * i + odd)) as [
    number[],
    number[],
  ];
  const ordered = permute(b, contents, [0, ...positions, 1, ...inside]);
  const batch = x.shape[0]!;
  const area = kernels.reduce((n, k) => n * k, 1);
  const size = within * area;
  const matrix = reshape(b, weight, groups === 1 ? [out, size] : [groups, out / groups, size]);
  let product: Value;
  if (groups === 1) {
    const rows = reshape(b, ordered, [batch, ...counts, size]);
    product = matMul(b, rows, swapAxes(b, matrix, 0, 1));
  } else {
    const rows = reshape(b, ordered, [batch, counts.reduce((n, c) => n * c, 1), groups, size]);
    const each = matMul(b, permute(b, rows, [0, 2, 1, 3]), swapAxes(b, matrix, -1, -2));
    product = reshape(b, permute(b, each, [0, 2, 1, 3]), [batch, ...counts, out]);
  }
  const bias = call.inputs[2] === undefined ? undefined : valueInput(call, 2, { as: "bias" });
  if (bias !== undefined && !sameShape(bias.shape, [out]))
    throw new UnreadableError(`its bias ${printShape(bias.shape)} does not fit ${out} channels`);
  const withBias = bias === undefined ? product : add(b, product, bias);
  return permute(b, withBias, [0, spatial + 1, ...counts.map((_, i) => i + 1)]);
}

/** How a transposed convolution spreads one axis: its positions end up `stride` apart, with zeros around and between them. */
interface Spread {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros before and after; negative numbers cut off positions. */
  readonly before: number;
  readonly after: number;
}

function spreadsOf({ attributes }: Call, x: Value, kernels: readonly number[]): Spread[] {
  const spatial = x.shape.slice(2).map((extent) => fixedExtent(extent, "a window along the batch axis"));
  const { strides, dilations, pads, auto } = movesOf(attributes, spatial.length);
  const more = perAxis(attributes, "output_padding", spatial.length, 0);
  const given = attributes.ints("output_shape")?.slice(-spatial.length);
  return spatial.map((extent, i) => {
    const [kernel, stride, dilation] = [kernels[i]!, strides[i]!, dilations[i]!];
    const reach = (kernel - 1) * dilation;
    const wanted = given?.[i] ?? (auto.startsWith("SAME") ? extent * stride : undefined);
    let [before, after] = auto === "VALID" ? [0, 0] : [pads[i]!, pads[i + spatial.length]!];
    if (wanted !== undefined) {
      // A result that is longer than the windows reach ends with zeros.
      const total = stride * (extent - 1) + more[i]! + reach + 1 - wanted;
      const less = Math.floor(Math.max(0, total) / 2);
      const rest = Math.max(0, total) - less;
      [before, after] = auto === "SAME_UPPER" ? [less, rest] : [rest, less];
      after += Math.min(0, total);
    }
    return { kernel, stride, dilation, before: reach - before, after: reach - after + more[i]! };
  });
}

/** A convolution with the reversed kernel over spread positions. Weight [C, O ÷ groups, …]. */
const transposedConvolution: Rule = (call) => {
  const { b, attributes } = call;
  const x = valueInput(call, 0);
  const weight = valueInput(call, 1, { as: "weight" });
  const groups = attributes.int("group", 1);
  const [channels, within, ...kernels] = weight.shape as readonly [number, number, ...number[]];
  if (
    x.shape.length < 3 ||
    x.shape.length !== weight.shape.length ||
    x.shape[1] !== channels ||
    channels % groups !== 0
  )
    throw new UnreadableError(
      `a weight ${printShape(weight.shape)} in ${groups} groups does not fit ${printShape(x.shape)}`,
    );
  checkKernel(call, kernels);
  const spreads = spreadsOf(call, x, kernels);
  const wide = spreads.reduce((value, spread, i) => apart(b, value, 2 + i, spread), x);
  const turned = kernels.reduce((value, kernel, i) => {
    if (kernel === 1) return value;
    const backwards = Array.from({ length: kernel }, (_, at) => kernel - 1 - at);
    return gather(b, value, indexValue(call, [kernel], backwards), 2 + i);
  }, weight);
  const grouped = reshape(b, turned, [groups, channels / groups, within, ...kernels]);
  const flipped = reshape(b, swapAxes(b, grouped, 1, 2), [groups * within, channels / groups, ...kernels]);
  const windows = spreads.map(({ kernel, dilation }, i): Window => {
    const count = (wide.shape[2 + i] as number) - (kernel - 1) * dilation;
    if (count < 1) throw new UnreadableError("nothing is left of its result");
    return { kernel, stride: 1, dilation, before: 0, after: 0, count };
  });
  return convolve(call, wide, flipped, groups, windows);
};

/** Spreads the positions of an axis, with zeros around them. */
function apart(b: Builder, x: Value, axis: number, { stride, before, after }: Spread): Value {
  const extent = x.shape[axis] as number;
  let spread = x;
  if (stride > 1 && extent > 1) {
    const single = reshape(b, x, x.shape.toSpliced(axis, 1, extent, 1));
    const between = reshape(b, pad(b, single, axis + 1, 0, stride - 1), x.shape.with(axis, extent * stride));
    spread = sliceAlong(b, between, axis, 0, (extent - 1) * stride + 1);
  }
  const length = spread.shape[axis] as number;
  const cut = sliceAlong(b, spread, axis, Math.max(0, -before), length - Math.max(0, -after));
  return pad(b, cut, axis, Math.max(0, before), Math.max(0, after));
}

/** The contents of all windows along one axis: […, n, …] → […, windows, kernel, …]. */
function unfold(
  call: Call,
  x: Value,
  axis: number,
  { kernel, stride, dilation, before, after, count }: Window,
): Value {
  const { b } = call;
  const padded = pad(b, x, axis, before, after);
  const extent = padded.shape[axis] as number;
  const shape = x.shape.toSpliced(axis, 1, count, kernel);
  if (kernel === 1 && stride === 1) return reshape(b, sliceAlong(b, padded, axis, 0, count), shape);
  // Windows without overlap are a reshape.
  if (kernel === stride && dilation === 1 && count * kernel <= extent)
    return reshape(b, sliceAlong(b, padded, axis, 0, count * kernel), shape);
  const positions = listOf(count * kernel, (i) => Math.floor(i / kernel) * stride + (i % kernel) * dilation);
  return gather(b, padded, indexValue(call, [count, kernel], positions), axis);
}

/** Pools one axis after the other, which is equivalent to pooling all at once. */
function pooling(pool: typeof averagePool, countsPaddingOf: (call: Call) => boolean): Rule {
  return (call) => {
    const { b, attributes } = call;
    const countsPadding = countsPaddingOf(call);
    if (call.wants[1]) throw new UnreadableError("its positions are used, which is not supported");
    const x = valueInput(call, 0);
    if (x.dtype !== "float32") throw new UnreadableError("it takes floating-point numbers only");
    const windows = windowsOf(call, x, attributes.ints("kernel_shape") ?? []);
    if (windows.some(({ dilation }) => dilation !== 1))
      throw new UnreadableError("a dilated window is not supported");
    return windows.reduce((value, { kernel, stride, before, after }, i) => {
      if (kernel === 1 && stride === 1 && before + after === 0) return value;
      const axis = i + 2;
      if (before + after === 0 || !countsPadding) {
        return beforeReshape(b, value, axis, (y, at) => pool(b, y, at, { kernel, stride, before, after }));
      }
      const ceil = attributes.int("ceil_mode", 0) !== 0;
      if (ceil) throw new UnreadableError("ceil_mode with padding that counts is not supported");
      return pool(b, pad(b, value, axis, before, after), axis, { kernel, stride });
    }, x);
  };
}

function spatialAxes(x: Value): number[] {
  return x.shape.slice(2).map((_, i) => i + 2);
}

export const windows: Readonly<Record<string, Rule>> = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  AveragePool: pooling(averagePool, ({ attributes }) => attributes.int("count_include_pad", 0) !== 0),
  MaxPool: pooling(maxPool, () => false),
  GlobalAveragePool: (call) => {
    const x = valueInput(call, 0);
    return reduceMean(call.b, x, spatialAxes(x), true);
  },
  GlobalMaxPool: (call) => {
    const x = valueInput(call, 0);
    return spatialAxes(x).reduce((value, axis) => largestAlong(call.b, value, axis), x);
  },
};

/** The largest value along an axis, which keeps extent 1. */
export function largestAlong(b: Builder, x: Value, axis: number): Value {
  const kernel: Extent = x.shape[axis]!;
  return maxPool(b, x, axis, { kernel: fixedExtent(kernel, "the largest along the batch axis") });
}
