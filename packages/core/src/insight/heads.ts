import { prunableTensors } from "../criteria/criterion.ts";
import type { Dimension } from "../dimensions/dimensions.ts";
import { dimensionsIn, type Expression, extentOf, indicesAt } from "../dimensions/expression.ts";
import { originalSize } from "../dimensions/original.ts";
import type { Extent } from "../graph/extent.ts";
import { countElements } from "../graph/extent.ts";
import { isKept } from "../model/mask.ts";
import type { Model } from "../model/model.ts";

/** The density of every head of one attention. */
export interface HeadDensity {
  /** Common prefix of the names of its tensors: `encoder.attn_layers.0.attention`. */
  readonly name: string;
  /** Name of the dimension whose indices are the heads. */
  readonly dimension: string;
  /** By head of the unpruned model: kept weights ÷ original weights; 0 for a removed head. */
  readonly density: readonly number[];
}

/**
 * Density of every attention head, over its own weights with two or more axes, in graph order. Lists heads that can be
 * removed, of attentions that still exist; mixing over time has no heads to tell apart.
 */
export function headDensities(model: Model): HeadDensity[] {
  return model.dimensions.list.flatMap((dimension, number) =>
    dimension.kind === "head" && dimension.fixed === undefined ? densitiesOf(model, dimension, number) : [],
  );
}

function densitiesOf(model: Model, dimension: Dimension, number: number): HeadDensity[] {
  const { list, axes } = model.dimensions;
  const now = (d: number): Extent => list[d]!.size;
  const before = (d: number): Extent => originalSize(list[d]!);
  const values = new Map(model.graph.tensors.map(({ name, value }) => [name, value]));
  const heads = before(number) as number;
  const kept = new Float64Array(dimension.size as number);
  const had = new Float64Array(heads);
  const prunable = new Set(prunableTensors(model));
  const names = [...new Set(dimension.members.map(({ tensor }) => tensor))].filter((n) => prunable.has(n));
  for (const name of names) {
    const expressions = axes[values.get(name)!]!;
    expressions.forEach((e, axis) => {
      if (!dimensionsIn(e).includes(number)) return;
      const others = expressions.filter((_, other) => other !== axis);
      const each = others.reduce<number>((n, other) => n * (extentOf(other, before) as number), 1);
      addPositions(had, e, number, before, () => each);
      const counts = keptByPosition(model, name, axis);
      addPositions(kept, e, number, now, (position) => counts[position]!);
    });
  }
  if (names.length === 0) return [];
  const original = dimension.original as readonly number[] | undefined;
  const density = Array.from(had, (count, head) => {
    const index = original === undefined ? head : original.indexOf(head);
    return index < 0 || count === 0 ? 0 : kept[index]! / count;
  });
  return [{ name: commonName(names) || dimension.name, dimension: dimension.name, density }];
}

/** Adds a number per position of an axis to the index of a dimension at that position. */
function addPositions(
  sums: Float64Array,
  e: Expression,
  number: number,
  sizes: (d: number) => Extent,
  amount: (position: number) => number,
): void {
  const extent = extentOf(e, sizes) as number;
  for (let position = 0; position < extent; position++) {
    for (const [d, index] of indicesAt(e, position, sizes))
      if (d === number) sums[index]! += amount(position);
  }
}

/** Counts kept elements by position along one axis of a tensor. */
function keptByPosition(model: Model, name: string, axis: number): Float64Array {
  const { shape } = model.tensors.get(name)!;
  const mask = model.masks.get(name);
  const size = countElements(shape);
  const extent = shape[axis]!;
  if (mask === undefined) return new Float64Array(extent).fill(size / Math.max(1, extent));
  const inner = countElements(shape.slice(axis + 1));
  const counts = new Float64Array(extent);
  for (let i = 0; i < size; i++) if (isKept(mask, i)) counts[Math.floor(i / inner) % extent]!++;
  return counts;
}

/** The leading parts that dotted names share. */
function commonName(names: readonly string[]): string {
  const [first, ...rest] = names.map((name) => name.split("."));
  let length = first!.length - 1;
  for (const parts of rest)
    while (length > 0 && first!.slice(0, length).some((part, i) => part !== parts[i])) length--;
  return first!.slice(0, length).join(".");
}
