import { type LiveNode, labelOf } from "@espalier/core/compile";
import {
  addOperator,
  countElements,
  isCallOf,
  matMulOperator,
  type Node,
  type Operator,
  reshapeOperator,
  transposeOperator,
  type ValueId,
} from "@espalier/core/graph";
import { Chain } from "../compile/chain.ts";
import type { Lowering, Tiling } from "../compile/lowering.ts";
import { readView, type Value, writeView } from "../compile/value.ts";
import { expandView, sliceView, type View } from "../compile/view.ts";
import type { Storage } from "../memory/storage.ts";
import type { Finish, Product } from "../wgsl/product.ts";
import { type RegisterTile, writeRegisterProduct } from "../wgsl/product-registers.ts";
import { type WorkgroupTile, writeWorkgroupProduct } from "../wgsl/product-workgroup.ts";
import { writeKernel } from "../wgsl/writer.ts";
import { blockLists, packMatrices, packVectors } from "./packing.ts";

/** From this share of zero blocks on, looking up which are not pays. */
const sparseEnough = 0.25;

/** A product with what follows it. Products of one operand with several fixed matrices (query, key, value) are one kernel. */
export function lowerMatMul(lowering: Lowering, live: LiveNode): void {
  const { node, inputs } = live;
  const [x, w] = inputs.map((id) => lowering.value(id)) as [Value, Value];
  const [output] = node.outputs as [ValueId];
  const fixed = lowering.survey.isFixed(output);
  lowering.settle([x, w], fixed);
  const group = fixed || !w.fixed || w.shape.length !== 2 ? [] : siblings(lowering, live);
  if (group.length > 1) {
    lowerTogether(lowering, x, group);
    return;
  }
  const a = lowering.memory(x, true);
  const shape = lowering.shapeOf(output);
  const columns = shape.at(-1)!;
  const shared = w.shape.length === 2;
  const packed = w.fixed && !fixed && shared ? packMatrices(lowering, [w]) : undefined;
  const b = packed ?? lowering.memory(w, true);
  const blocks = packed && blocksOf(lowering, [w], packed);
  const storages = new Set<Storage>([a.storage, b.storage, ...(blocks === undefined ? [] : [blocks])]);
  const chain = Chain.behind(lowering, node, output, { storages, half: true });
  const lead = shared ? [] : shape.slice(0, -2);
  emitProduct(lowering, node, {
    lead,
    a: shared ? a : expandView(a, [...lead, ...a.shape.slice(-2)]),
    b: shared ? b : expandView(b, [...lead, ...b.shape.slice(-2)]),
    rows: shared ? countElements(shape.slice(0, -1)) : shape.at(-2)!,
    inner: x.shape.at(-1)!,
    columns,
    innerGrows: lowering.growsWithBatch(inputs[0]!, x.shape.length - 1),
    shape,
    finish: chain,
    blocks,
  });
}

interface Sibling {
  readonly live: LiveNode;
  readonly weight: Value;
  /** The addition of a fixed vector behind the product, if that is all that reads it. */
  readonly bias?: { readonly node: Node; readonly vector: Value };
}

/** Operators behind a bias that are not computed in the kernel of a product. */
const joins: readonly Operator[] = [reshapeOperator, transposeOperator, matMulOperator];

/** All products of the same left operand with fixed matrices that are not computed yet. */
function siblings(lowering: Lowering, { inputs }: LiveNode): Sibling[] {
  return lowering.survey.readers(inputs[0]!).flatMap((live): Sibling[] => {
    const [left, right] = live.inputs;
    if (!isCallOf(live.node, matMulOperator) || lowering.isDone(live.node)) return [];
    if (left !== inputs[0] || right === left || !lowering.isKnown(right!)) return [];
    const weight = lowering.value(right!);
    const [output] = live.node.outputs as [ValueId];
    if (!weight.fixed || weight.shape.length !== 2 || lowering.survey.leaves(output)) return [];
    const readers = lowering.survey.readers(output);
    const [reader] = readers;
    if (readers.length !== 1 || !isCallOf(reader!.node, addOperator)) return [{ live, weight }];
    const other = reader!.inputs.find((input) => input !== output);
    const vector = other === undefined || !lowering.isKnown(other) ? undefined : lowering.value(other);
    const fits = vector?.fixed && vector.shape.length === 1 && vector.shape[0] === weight.shape[1];
    const leaves = lowering.survey.leaves(reader!.node.outputs[0]!);
    if (!fits || leaves || lowering.isDone(reader!.node)) return [];
    // What follows the bias would have been computed in the product's own kernel.
    const after = lowering.survey.readers(reader!.node.outputs[0]!);
    const moved = after.every(({ node }) => joins.some((operator) => isCallOf(node, operator)));
    return moved ? [{ live, weight, bias: { node: reader!.node, vector } }] : [];
  });
}

function lowerTogether(lowering: Lowering, x: Value, group: readonly Sibling[]): void {
  const a = lowering.memory(x, true);
  const weights = group.map(({ weight }) => weight);
  const b = packMatrices(lowering, weights);
  const columns = b.shape[1]!;
  const blocks = blocksOf(lowering, weights, b);
  const biased = group.some(({ bias }) => bias !== undefined);
  const bias = biased
    ? packVectors(
        lowering,
        group.map(({ bias: own, weight }) => own?.vector ?? weight.shape[1]!),
      )
    : undefined;
  const first = group[0]!.live.node;
  const rows = x.shape.slice(0, -1);
  const shape = [...rows, columns];
  const out = lowering.allocate(labelOf(first), shape, lowering.settings.half ? "f16" : "f32", false);
  const finish: Finish = {
    cost: 1,
    write(writer, index, width, result) {
      const at = index.broadcastTo([columns]);
      const sum = bias === undefined ? result : `${result} + ${readView(bias, writer, at, width)}`;
      writeView(writer, out, index, width, sum);
    },
  };
  const product = { lead: [], a, b, rows: countElements(rows), inner: x.shape.at(-1)!, columns, shape };
  emitProduct(lowering, first, { ...product, innerGrows: false, finish, blocks });
  let start = 0;
  for (const { live, weight, bias: own } of group) {
    const node = own?.node ?? live.node;
    const end = start + weight.shape[1]!;
    const view = sliceView(out, shape.length - 1, start, end);
    lowering.markDone(live.node);
    lowering.markDone(node);
    lowering.defineStored(node.outputs[0]!, labelOf(live.node), view);
    start += 4 * Math.ceil(weight.shape[1]! / 4);
  }
}

/** The blocks of a packed matrix that are not zero, if enough of the matrices it was packed from are. */
function blocksOf(lowering: Lowering, weights: readonly Value[], packed: View): Storage | undefined {
  if (packed.shape[0]! % 4 !== 0) return undefined;
  const shares = weights.map(({ view }) =>
    view === undefined ? 0 : lowering.settings.zeroBlocks(view.storage),
  );
  const sizes = weights.map(({ shape }) => countElements(shape));
  const zero = shares.reduce((sum, share, i) => sum + share * sizes[i]!, 0);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  return zero < sparseEnough * all ? undefined : blockLists(lowering, packed);
}

function emitProduct(lowering: Lowering, node: Node, product: Product): void {
  const { limits, tiling } = lowering.settings;
  const kernel = writeKernel(labelOf(node), limits, (writer) => {
    const tile = chooseTile(tiling, product);
    return "slices" in tile
      ? writeRegisterProduct(writer, product, tile)
      : writeWorkgroupProduct(writer, product, tile);
  });
  lowering.emit(kernel, lowering.survey.isFixed(node.outputs[0]!));
}

/**
 * How a product is divided. Where workgroup memory is slow (software adapters): registers only, 8 × 8 results a thread for
 * products that are worth compiling so much code for, fewer for small ones. On a GPU: tiles in workgroup memory when there
 * are enough of them to keep it busy; otherwise few rows a thread and the inner axis shared by 16 threads.
 */
export function chooseTile(tiling: Tiling, product: Product): RegisterTile | WorkgroupTile {
  const { rows, columns, inner } = product;
  const leads = countElements(product.lead);
  const few: 1 | 2 | 4 | 8 = rows <= 1 ? 1 : rows <= 2 ? 2 : rows <= 4 ? 4 : 8;
  if (tiling === "registers") {
    const work = rows * columns * inner;
    if (work < 2 ** 15) return { rows: few === 8 ? 4 : few, quads: 1, slices: 1 };
    const wide = few === 8 && columns >= 64 && work >= 2 ** 21;
    return { rows: few, quads: wide ? 2 : 1, slices: 1 };
  }
  const tiles = (height: number, width: number) =>
    Math.ceil(rows / height) * Math.ceil(columns / width) * leads;
  if (product.blocks !== undefined && tiles(64, 16) >= 64) return { rows: 64, columns: 16 };
  if (product.blocks === undefined) {
    if (rows > 16 && tiles(64, 64) >= 96) return { rows: 64, columns: 64 };
    if (rows > 16 && tiles(32, 32) >= 64) return { rows: 32, columns: 32 };
  }
  return { rows: few, quads: 1, slices: inner >= 128 ? 16 : inner >= 32 ? 4 : 1 };
}
