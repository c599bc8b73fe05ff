import { countElements } from "@espalier/core/graph";
import { reshapeView, type View } from "../compile/view.ts";
import type { Storage } from "../memory/storage.ts";
import { Index, sum } from "./index-space.ts";
import type { Width, Writer } from "./writer.ts";

/** Operations on a result before it is stored. */
export interface Finish {
  /** Operations an element takes. */
  readonly cost: number;
  write(writer: Writer, index: Index, width: Width, result: string): void;
}

/** Matrix products a · b, one for each position of `lead`. */
export interface Product {
  readonly lead: readonly number[];
  /** Left operands [...lead, rows…, inner]: all axes between count as rows. */
  readonly a: View;
  /** Right operands [...lead, inner, columns]. */
  readonly b: View;
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** The inner extent grows with the batch. */
  readonly innerGrows: boolean;
  /** Shape of the result: lead, rows, columns. */
  readonly shape: readonly number[];
  readonly finish: Finish;
  /** For each 16 columns of b the 16-row blocks that are not zero: how many, and which. */
  readonly blocks?: Storage | undefined;
}

/** Side of the blocks that are skipped where they are zero. */
export const blockSize = 16;

/** How an operand can be loaded: four along the inner axis, four across it, or one by one. */
export type Access = "along" | "across" | "single";

/** An operand of a product: where its numbers are, while a kernel is written. */
export class Operand {
  readonly access: Access;
  readonly #writer: Writer;
  readonly #view: View;
  /** Strides of lead, of rows or columns, and of the inner axis, in elements. */
  readonly #lead: readonly number[];
  readonly #side: readonly number[];
  readonly #sideShape: readonly number[];
  readonly #innerStride: number;
  readonly #leadShape: readonly number[];

  private constructor(writer: Writer, view: View, parts: { lead: number; side: number[]; inner: number }) {
    this.#writer = writer;
    this.#view = view;
    this.#leadShape = view.shape.slice(0, parts.lead);
    this.#lead = view.strides.slice(0, parts.lead);
    this.#side = parts.side.map((axis) => view.strides[axis]!);
    this.#sideShape = parts.side.map((axis) => view.shape[axis]!);
    this.#innerStride = view.strides[parts.inner]!;
    const inner = view.shape[parts.inner]!;
    const fours = (strides: readonly number[]) => strides.every((stride) => stride % 4 === 0);
    const aligned = view.offset % 4 === 0 && fours(this.#lead);
    const single = this.#side.length === 1;
    if (this.#innerStride === 1 && inner % 4 === 0 && aligned && fours(this.#side)) this.access = "along";
    else if (
      single &&
      this.#side[0] === 1 &&
      this.#sideShape[0]! % 4 === 0 &&
      aligned &&
      this.#innerStride % 4 === 0
    ) {
      this.access = "across";
    } else this.access = "single";
  }

  static left(writer: Writer, { a, lead, rows, inner }: Product): Operand {
    const flat = reshapeView(a, [...lead, rows, inner]);
    const view = flat ?? a;
    const rank = view.shape.length;
    const side = Array.from({ length: rank - 1 - lead.length }, (_, i) => lead.length + i);
    return new Operand(writer, view, { lead: lead.length, side, inner: rank - 1 });
  }

  static right(writer: Writer, { b, lead }: Product): Operand {
    return new Operand(writer, b, { lead: lead.length, side: [lead.length + 1], inner: lead.length });
  }

  /** Start of one row or column; in groups of four if it is loaded so. */
  start(lead: string, at: string): string {
    const by = this.access === "single" ? 1 : 4;
    const leads = Index.flat(this.#writer, this.#leadShape, lead);
    const sides = Index.flat(this.#writer, this.#sideShape, at);
    const terms = [
      ...this.#lead.map((stride, i) => [stride === 0 ? "0u" : leads.axis(i), stride / by] as const),
      ...(this.access === "across"
        ? [[at, 1] as const]
        : this.#side.map((stride, i) => [stride === 0 ? "0u" : sides.axis(i), stride / by] as const)),
    ];
    return this.#writer.bind("u32", sum(terms, this.#view.offset / by));
  }

  /** Four along the inner axis from 4 × `k`, for access "along". */
  along(start: string, k: string): string {
    return this.#load(`${start} + ${k}`, 4);
  }

  /** Four of neighbouring rows or columns at inner position `k`, for access "across"; `start` is that of the group of four. */
  across(start: string, k: string): string {
    return this.#load(
      sum([
        [start, 1],
        [k, this.#innerStride / 4],
      ]),
      4,
    );
  }

  single(start: string, k: string): string {
    return this.#load(
      sum([
        [start, 1],
        [k, this.#innerStride],
      ]),
      1,
    );
  }

  #load(at: string, width: Width): string {
    return this.#writer.bind(width === 4 ? "vec4f" : "f32", this.#writer.load(this.#view.storage, at, width));
  }
}

/** Position of the four columns from 4 × `quad` on in a row of the result. */
export function resultIndex(
  writer: Writer,
  { shape, lead, rows, columns }: Product,
  at: { readonly lead: string; readonly row: string; readonly quad: string },
): Index {
  const last = shape.length - 1;
  const leads = Index.flat(writer, lead, at.lead);
  const rowIndex = Index.flat(writer, shape.slice(lead.length, last), at.row);
  const number = () =>
    countElements(lead) === 1
      ? at.row
      : writer.bind("u32", `${at.lead} * ${writer.parameter("rows", rows)} + ${at.row}`);
  const fours = columns % 4 === 0;
  return new Index(writer, shape, {
    axis: (i) => {
      if (i === last) return writer.bind("u32", `4u * ${at.quad}`);
      return i < lead.length ? leads.axis(i) : rowIndex.axis(i - lead.length);
    },
    flat: () => writer.bind("u32", `${number()} * ${columns}u + 4u * ${at.quad}`),
    quad: () => at.quad,
    flatQuad: fours ? () => writer.bind("u32", `${number()} * ${columns / 4}u + ${at.quad}`) : undefined,
  });
}

/** Finishes four columns of a row; those beyond the last column are left out. */
export function finishQuad(
  writer: Writer,
  product: Product,
  at: { readonly lead: string; readonly row: string; readonly quad: string },
  result: string,
): void {
  const { columns, finish } = product;
  const index = resultIndex(writer, product, at);
  if (columns % 4 === 0) {
    finish.write(writer, index, 4, result);
    return;
  }
  const all = writer.bind("vec4f", result);
  for (let i = 0; i < Math.min(4, columns); i++) {
    const one = () => finish.write(writer, oneOf(writer, product, at, i), 1, `${all}[${i}]`);
    if (columns < 4) one();
    else writer.block(`if (4u * ${at.quad} + ${i}u < ${columns}u)`, one);
  }
}

function oneOf(
  writer: Writer,
  product: Product,
  at: { readonly lead: string; readonly row: string; readonly quad: string },
  column: number,
): Index {
  const index = resultIndex(writer, product, at);
  const last = product.shape.length - 1;
  return new Index(writer, product.shape, {
    axis: (i) => (i === last ? writer.bind("u32", `${index.axis(last)} + ${column}u`) : index.axis(i)),
    flat: () => writer.bind("u32", `${index.flat} + ${column}u`),
  });
}

/** WGSL of component `i`. */
export const component = (vector: string, i: number): string => `${vector}.${"xyzw"[i]}`;
