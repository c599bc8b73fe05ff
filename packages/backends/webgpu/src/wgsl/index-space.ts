import { countElements } from "@espalier/core/graph";
import { groupAxes, isContiguous, rowMajor, type View } from "../compile/view.ts";
import { parenthesize, type Writer } from "./writer.ts";

interface Parts {
  /** Coordinate along an axis longer than 1. */
  readonly axis: (axis: number) => string;
  /** Row-major number of the element, where it is at hand. */
  readonly flat?: (() => string) | undefined;
  /** For four elements together: a fourth of the first one's last coordinate. */
  readonly quad?: (() => string) | undefined;
  /** A fourth of the first one's number. */
  readonly flatQuad?: (() => string) | undefined;
}

/**
 * A position in a value while a kernel is written: WGSL expressions of its coordinates. What nobody asks for is never
 * written. It may stand for four elements that follow each other, from a multiple of 4 on: along the last axis, or (after
 * a change of shape) in row-major order only.
 */
export class Index {
  readonly shape: readonly number[];
  /** Its own key, by which computed values are found. */
  readonly key: string;
  readonly #writer: Writer;
  readonly #parts: Parts;

  constructor(writer: Writer, shape: readonly number[], parts: Parts) {
    this.shape = shape;
    this.key = writer.fresh("i");
    this.#writer = writer;
    this.#parts = parts;
  }

  /** From the row-major number of an element. */
  static flat(writer: Writer, shape: readonly number[], flat: string): Index {
    return new Index(writer, shape, { axis: decompose(writer, shape, flat), flat: () => flat });
  }

  /** From the number of a group of four elements; the last axis must be a multiple of 4 long. */
  static quads(writer: Writer, shape: readonly number[], flatQuad: string): Index {
    const last = shape.length - 1;
    const reduced = decompose(writer, shape.with(-1, shape.at(-1)! / 4), flatQuad);
    const quad = () => (shape[last] === 4 ? "0u" : reduced(last));
    return new Index(writer, shape, {
      axis: (i) => (i === last ? writer.bind("u32", `4u * ${quad()}`) : reduced(i)),
      flat: () => writer.bind("u32", `4u * ${flatQuad}`),
      quad,
      flatQuad: () => flatQuad,
    });
  }

  axis(i: number): string {
    return this.shape[i] === 1 ? "0u" : this.#parts.axis(i);
  }

  get flat(): string | undefined {
    return this.#parts.flat?.();
  }

  get quad(): string | undefined {
    return this.#parts.quad?.();
  }

  get flatQuad(): string | undefined {
    return this.#parts.flatQuad?.();
  }

  /** Whether it stands for four elements. */
  get isQuad(): boolean {
    return this.#parts.quad !== undefined || this.#parts.flatQuad !== undefined;
  }

  /** Whether the four follow each other along the last axis; otherwise they do so in the row-major order of all elements. */
  get isRun(): boolean {
    return this.#parts.quad !== undefined;
  }

  /** One of the four elements. */
  shift(by: number): Index {
    const { axis, flat, quad } = this.#parts;
    const last = this.shape.length - 1;
    const plus = (at: string) => (by === 0 ? at : this.#writer.bind("u32", `${at} + ${by}u`));
    if (quad === undefined && flat !== undefined) return Index.flat(this.#writer, this.shape, plus(flat()));
    return new Index(this.#writer, this.shape, {
      axis: (i) => (i === last ? plus(axis(i)) : axis(i)),
      flat: flat && (() => plus(flat())),
    });
  }

  /** The position in an operand that is repeated to this shape; one element where it is repeated along the last axis. */
  broadcastTo(shape: readonly number[]): Index {
    const lead = this.shape.length - shape.length;
    if (lead === 0 && shape.every((extent, i) => extent === this.shape[i])) return this;
    const axis = (i: number) => this.axis(i + lead);
    const { flat, quad, flatQuad } = this.#parts;
    if (shape.at(-1) !== this.shape.at(-1)) return new Index(this.#writer, shape, { axis });
    if (!shape.every((extent, i) => extent === this.shape[i + lead])) {
      return new Index(this.#writer, shape, { axis, quad });
    }
    const size = countElements(shape);
    const repeated = size !== countElements(this.shape);
    const within = (at: (() => string) | undefined, of: number) =>
      at && (repeated ? () => this.#writer.bind("u32", `${at()} % ${of}u`) : at);
    return new Index(this.#writer, shape, {
      axis,
      flat: within(flat, size),
      quad,
      flatQuad: size % 4 === 0 ? within(flatQuad, size / 4) : undefined,
    });
  }

  /** The position in a value whose axis perm[i] is this one's axis i. */
  transposed(perm: readonly number[]): Index {
    const shape = new Array<number>(perm.length);
    perm.forEach((from, to) => {
      shape[from] = this.shape[to]!;
    });
    const last = perm.length - 1;
    return new Index(this.#writer, shape, {
      axis: (i) => this.axis(perm.indexOf(i)),
      quad: perm[last] === last ? this.#parts.quad : undefined,
    });
  }

  /** The same element under another shape. */
  reshaped(shape: readonly number[]): Index {
    const writer = this.#writer;
    const groups = groupAxes(this.shape, shape);
    const axis = (i: number): string => {
      const { from, to } = groups.find((group) => group.to.includes(i))!;
      const several = from.filter((a) => this.shape[a] !== 1);
      if (several.length === 1 && to.filter((a) => shape[a] !== 1).length === 1)
        return this.axis(several[0]!);
      const steps = rowMajor(from.map((a) => this.shape[a]!));
      const terms = from.map((a, k): readonly [string, number] => [this.axis(a), steps[k]!]);
      const extents = to.map((a) => shape[a]!);
      return decompose(writer, extents, writer.bind("u32", sum(terms)))(to.indexOf(i));
    };
    const last = groups.at(-1);
    const kept = last?.from.length === 1 && last.to.length === 1 && last.to[0] === shape.length - 1;
    const { flat, quad, flatQuad } = this.#parts;
    return new Index(writer, shape, { axis, flat, flatQuad, quad: kept ? quad : undefined });
  }

  /** With another coordinate along one axis. Four elements along the last one need their `quad`. */
  with(axis: number, extent: number, at: string, quad?: string): Index {
    const last = axis === this.shape.length - 1;
    return new Index(this.#writer, this.shape.with(axis, extent), {
      axis: (i) => (i === axis ? at : this.axis(i)),
      quad: last ? (quad === undefined ? undefined : () => quad) : this.#parts.quad,
    });
  }
}

function decompose(writer: Writer, shape: readonly number[], flat: string): (axis: number) => string {
  const steps = rowMajor(shape);
  const first = shape.findIndex((extent) => extent !== 1);
  return (axis) => {
    if (shape[axis] === 1) return "0u";
    const over = steps[axis] === 1 ? flat : writer.bind("u32", `${flat} / ${steps[axis]}u`);
    return axis === first ? over : writer.bind("u32", `${over} % ${shape[axis]}u`);
  };
}

/** Σ expression × number, written without what is zero or one. */
export function sum(terms: readonly (readonly [string, number])[], constant = 0): string {
  const parts = terms.flatMap(([expression, factor]) => {
    if (factor === 0 || expression === "0u") return [];
    return factor === 1 ? [expression] : [`${parenthesize(expression)} * ${factor}u`];
  });
  if (constant !== 0) parts.push(`${constant}u`);
  return parts.length === 0 ? "0u" : parts.join(" + ");
}

/** Position of a view's element in its storage. */
export function offsetOf(view: View, index: Index): string {
  if (index.flat !== undefined && isContiguous(view)) return sum([[index.flat, 1]], view.offset);
  return sum(
    view.strides.map((stride, axis) => [stride === 0 ? "0u" : index.axis(axis), stride] as const),
    view.offset,
  );
}

/** Position of four elements, in groups of four; undefined if they are not contiguous. */
export function quadOffsetOf(view: View, index: Index): string | undefined {
  const last = view.shape.length - 1;
  if (last < 0 || view.strides[last] !== 1 || view.offset % 4 !== 0) return undefined;
  if (view.strides.some((stride, axis) => axis !== last && stride % 4 !== 0)) return undefined;
  if (index.flatQuad !== undefined && isContiguous(view)) return sum([[index.flatQuad, 1]], view.offset / 4);
  if (index.quad === undefined) return undefined;
  const terms = view.strides.map((stride, axis): readonly [string, number] => {
    if (axis === last) return [index.quad!, 1];
    return [stride === 0 ? "0u" : index.axis(axis), stride / 4];
  });
  return sum(terms, view.offset / 4);
}
