import { type Attention, attention, type Linear } from "@espalier/core/compile/inference";
import {
  attributesOf,
  isCallOf,
  sameShape,
  scaleFactor,
  scaleOperator,
  type ValueId,
} from "@espalier/core/inference";
import type { Argument, Call, Pointer } from "../compile/call.ts";
import { Emitter, pointer } from "../compile/emitter.ts";
import {
  asMatrix,
  axes,
  expandView,
  featureMajor,
  type Layout,
  type Matrix,
  type View,
} from "../compile/view.ts";
import { type Format, formats } from "../weights/format.ts";
import { emitUnary, type UnaryName } from "./elementwise.ts";
import type { Emit } from "./kernel.ts";

/**
 * Activations of this many bytes lie on more pages than the first-level TLB knows: strips of them are brought together
 * before a sparse product reads them (512 × 512 at 90 % zeros and 224 tokens: 0.25 → 0.22 ns a value and vector, at 50 %
 * 0.28 → 0.21; Crossformer at batch 32 in one part: 6 ×).
 */
const pagesTooMany = 2 ** 18;
/** Elements from one feature to the next in such a strip: four vectors. */
const stripPitch = 16;

/** Blocks of four pay only where few tokens meet a weight. */
const stripFormats: readonly Format[] = ["panels", "rows", "pairs"];
const sparseKernels = { rows: "sparseRows", pairs: "sparsePairs", quads: "sparseQuads" } as const;
const stripKernels = { rows: "sparseRowStrips", pairs: "sparsePairStrips" } as const;

/** activation(x·W + bias) + residual over features × tokens. */
export function emitLinear(e: Emitter, linear: Linear): void {
  const shape = e.shape(linear.output);
  const view = e.allocate(shape, featureMajor(shape.length));
  e.set(linear.output, view);
  const y = asMatrix(view)!;
  const weight = e.view(linear.weight);
  const given = e.matrix(e.view(linear.x));
  // A sparse row's offsets are in bytes: one pitch for x and y.
  const copies = weight.storage.kind === "tensor" && !inStrips(given, y) && given.pitch !== y.pitch;
  const x = copies ? asMatrix(e.copy(given.view, featureMajor(given.view.shape.length)))! : given;
  const bias: Argument = linear.bias === undefined ? 0 : e.vector(e.view(linear.bias));
  let residual: Argument = 0;
  if (linear.residual !== undefined) {
    const other = e.matrix(e.view(linear.residual));
    residual = pointer(other.pitch === y.pitch ? other.view : e.copy(other.view, featureMajor(shape.length)));
  }
  productWith(e, weight, bias)(x, y, residual);
  if (linear.activation !== undefined) emitUnary(e, linear.activation.operator.name as UnaryName, view, view);
}

const inStrips = (x: Matrix, y: Matrix) => x.tokens > 8 && 4 * x.features * y.pitch > pagesTooMany;

/**
 * Products with one weight [K, N] (and a bias): each writes y = x·W + bias + residual, residuals lying as y does. Where the
 * weight is a tensor x must have y's pitch, unless it is read in strips.
 */
export function productWith(
  e: Emitter,
  weight: View,
  bias: Argument,
): (x: Matrix, y: Matrix, residual: Argument) => void {
  const [K, N] = weight.shape as readonly [number, number];
  const [ks, ns] = weight.strides as readonly [number, number];
  const pointers = (list: readonly Argument[]) => list.filter((one) => typeof one !== "number");
  let panels: Pointer | undefined;
  if (weight.storage.kind !== "tensor") {
    panels = { storage: e.storage(Math.ceil(N / e.panelRows) * e.panelRows * K * 4), bytes: 0 };
    e.call("packPanels", N, K, pointer(weight), 4 * ns, 4 * ks, panels);
  }
  return (x, y, residual) => {
    const vectors = Math.ceil(x.tokens / 4);
    const strips = inStrips(x, y);
    const [from, to] = [pointer(x.view), pointer(y.view)];
    const strip = vectors > 2 && K > 1 ? e.scratch(128 * K) : 0;
    const dense = (at: Argument): Call => {
      const args = [N, K, from, 4 * x.pitch, at, bias, to, 4 * y.pitch, residual];
      if (x.tokens === 1) return { kernel: "denseToken", args };
      return { kernel: "dense", args: [vectors, ...args, strip] };
    };
    const macs = N * K * x.tokens;
    if (panels !== undefined) {
      const call = dense(panels);
      e.push(call, macs);
      return;
    }
    const name = weight.storage.name!;
    const pattern = e.patternOf(name);
    const source = {
      slot: e.state.slot(name),
      offset: 4 * weight.offset,
      N,
      K,
      ns: 4 * ns,
      ks: 4 * ks,
      pattern,
    };
    const pitches = { x: strips ? stripPitch : x.pitch, y: y.pitch };
    const packed = e.weights.get(source, x.tokens, pitches, strips ? stripFormats : formats);
    e.weighted(packed, [from, to, ...pointers([bias, residual, strip])], macs, () => {
      const { pack } = packed;
      if (pack.format === "panels") return dense(pack.address);
      const { rowStarts } = pack;
      const { rows, offsets, values } = pack.address;
      const list = [rows, offsets, values, bias, to, residual];
      const yld = pack.format === "rows" ? [] : [4 * y.pitch];
      if (!strips || pack.format === "quads") {
        const args = [vectors, pack.count, from, ...list, ...yld];
        return { kernel: sparseKernels[pack.format], args, rowStarts };
      }
      const args = [vectors, pack.count, K, from, 4 * x.pitch, ...list, strip, ...yld];
      return { kernel: stripKernels[pack.format], args, rowStarts };
    });
  };
}

/** Limits of the fused kernel: a scale after the product, up to two batch axes, none of them repeated. */
export const attentionPattern = attention({
  takes: ({ node }) => isCallOf(node, scaleOperator),
  fits({ q, k, v, between, output }, shapeOf) {
    const lead = (value: ValueId) => shapeOf(value).slice(0, -2);
    const { length } = shapeOf(output);
    const alike = [q, k, v].every((value) => sameShape(lead(value), lead(output)));
    return alike && length <= 4 && between.length <= 1;
  },
});

/** Heads outermost, then channels; tokens of all sequences in one row: what a linear layer reads when heads are joined. */
const headMajor = (rank: number): Layout =>
  rank === 4 ? { order: [1, 3, 0, 2], run: 2 } : { order: [2, 0, 1], run: 2 };

/** The fused kernel, where tokens of q, k and v are neighbours (or are made so). */
export function emitAttention(
  e: Emitter,
  { q: queries, k: keys, v: values, between, output }: Attention,
): void {
  const own = e.shape(output);
  const rank = own.length;
  const tokensTogether = (view: View, axis: number) =>
    view.strides[axis] === 1 || view.shape[axis] === 1 ? view : e.copy(view, headMajor(rank));
  const q = tokensTogether(e.view(queries), rank - 2);
  const k = tokensTogether(transposedLast(e.view(keys)), rank - 2);
  const v = tokensTogether(e.view(values), rank - 2);
  const wanted = e.wanted(output);
  const y = e.allocate(own, wanted?.order.at(-1) === rank - 2 ? wanted : headMajor(rank));
  e.set(output, y);
  const [scaled] = between;
  const scale = scaled === undefined ? 1 : scaleFactor(attributesOf(scaled.node, scaleOperator), e.batchSize);
  const [L, S] = [q.shape[rank - 2]!, k.shape[rank - 2]!];
  const head = (view: View) => (rank === 4 ? 4 * view.strides[1]! : 0);
  const strides = (view: View) => [head(view), 4 * view.strides[0]!, 4 * view.strides.at(-1)!];
  const shape = e.integers([
    ...[L, S, q.shape.at(-1)!, v.shape.at(-1)!, rank === 4 ? q.shape[1]! : 1, q.shape[0]!],
    ...[q, k, v, y].flatMap(strides),
    Emitter.bits(scale * Math.LOG2E),
  ]);
  const pointers = [q, k, v, y].map(pointer);
  const scratch = e.scratch(32 * (q.shape.at(-1)! + 2 * S + 8));
  const macs =
    q.shape.slice(0, -2).reduce((n, extent) => n * extent, 1) * L * S * (q.shape.at(-1)! + v.shape.at(-1)!);
  e.push({ kernel: "attention", args: [shape, ...pointers, scratch] }, macs);
}

/** Columns from which on A is worth packing. */
const packsFrom = 64;

/** A batch of matrix products over strided operands. */
export const emitProduct: Emit = (e, { inputs, node }) => {
  const [value] = node.outputs as [number];
  const shape = e.shape(value);
  const rank = shape.length;
  const [a, b] = inputs.map((id) => {
    const view = e.view(id);
    return expandView(view, [...shape.slice(0, -2), ...view.shape.slice(-2)]);
  }) as [View, View];
  const wanted = e.wanted(value) ?? { order: axes(rank), run: 1 };
  const innermost = wanted.order.findLast((axis) => shape[axis]! > 1) ?? rank - 1;
  const usable = innermost >= rank - 2;
  // Columns must be neighbours: an axis of one position behind them would be padded, and part them.
  const layout = { ...wanted, order: [...wanted.order.filter((axis) => axis !== innermost), innermost] };
  const y = e.allocate(shape, usable ? layout : { order: axes(rank), run: 1 });
  e.set(value, y);
  const swapped = usable && innermost === rank - 2 && shape[rank - 2]! > 1;
  if (swapped) emitMatrixProduct(e, transposedLast(b), transposedLast(a), transposedLast(y));
  else emitMatrixProduct(e, a, b, y);
};

/** y […, M, N] = left […, M, K] · right […, K, N]; neighbouring columns of y lie together. */
export function emitMatrixProduct(e: Emitter, left: View, right: View, y: View): void {
  const [M, N, K] = [y.shape.at(-2)!, y.shape.at(-1)!, left.shape.at(-1)!];
  const bytes = (view: View) => view.strides.slice(-2).map((stride) => 4 * stride);
  const [ams, aks] = bytes(left);
  const [bks, bns] = bytes(right);
  const packs = ams !== 4 && N > packsFrom;
  const panels: Pointer | 0 = packs ? e.scratch(Math.ceil(M / e.panelRows) * e.panelRows * K * 4) : 0;
  const strip = e.scratch(32 * (K + 3));
  const lead = leadAxes(y.shape.slice(0, -2), [left, right, y]);
  // The kernel walks three batch axes; what is outside them is walked here.
  const outer = lead.slice(0, -3);
  const inner = [...new Array(3).fill({ extent: 1, strides: [0, 0, 0] }), ...lead].slice(-3) as typeof lead;
  const dims = e.integers([
    ...[M, N, K, ams!, aks!, bks!, bns!, 4 * y.strides.at(-2)!],
    ...inner.flatMap(({ extent, strides }) => [extent, ...strides]),
  ]);
  for (const [oa, ob, oy] of positions(outer)) {
    const at = (view: View, more: number) => ({ storage: view.storage, bytes: 4 * view.offset + more });
    const args = [dims, at(left, oa!), at(right, ob!), at(y, oy!), panels, strip];
    const macs = (M * N * K * lead.reduce((n, { extent }) => n * extent, 1)) / countOf(outer);
    e.push({ kernel: "product", args }, macs);
  }
}

interface LeadAxis {
  readonly extent: number;
  /** Bytes in A, B and C. */
  readonly strides: readonly number[];
}

const countOf = (lead: readonly LeadAxis[]) => lead.reduce((n, { extent }) => n * extent, 1);

function leadAxes(shape: readonly number[], views: readonly View[]): LeadAxis[] {
  const result: LeadAxis[] = [];
  shape.forEach((extent, axis) => {
    if (extent === 1) return;
    const strides = views.map((view) => 4 * view.strides[axis]!);
    const outer = result.at(-1);
    if (outer?.strides.every((stride, i) => stride === strides[i]! * extent))
      result[result.length - 1] = { extent: outer.extent * extent, strides };
    else result.push({ extent, strides });
  });
  return result;
}

function positions(lead: readonly LeadAxis[]): number[][] {
  let all = [[0, 0, 0]];
  for (const { extent, strides } of lead) {
    all = all.flatMap((at) =>
      Array.from({ length: extent }, (_, i) => at.map((offset, k) => offset + i * strides[k]!)),
    );
  }
  return all;
}

function transposedLast(view: View): View {
  const [rows, columns] = [view.shape.length - 2, view.shape.length - 1];
  const swap = (list: readonly number[]) => list.with(rows, list[columns]!).with(columns, list[rows]!);
  return { ...view, shape: swap(view.shape), strides: swap(view.strides) };
}
