import type { Storage } from "../memory/storage.ts";
import { type Index, offsetOf, quadOffsetOf } from "../wgsl/index-space.ts";
import { computedType, type Width, type Writer } from "../wgsl/writer.ts";
import type { View } from "./view.ts";

/** How a value that is not in memory is computed where it is read. */
export interface Expression {
  readonly operands: readonly Value[];
  /** Operations an element takes, those of operands that are not in memory included. */
  readonly cost: number;
  /** WGSL of the element, or the four elements, at a position. */
  write(writer: Writer, index: Index, width: Width): string;
  /** The same as a view, once the operand is in memory: of what only moves elements. */
  view?(): View | undefined;
}

/** A value of the graph at one batch size: in memory, or to be computed wherever it is read. */
export class Value {
  readonly shape: readonly number[];
  readonly type: "f32" | "i32";
  /** The node that makes it. */
  readonly label: string;
  /** Depends on nothing that a run changes. */
  readonly fixed: boolean;
  readonly expression: Expression | undefined;
  #view: View | undefined;

  constructor(
    about: Pick<Value, "shape" | "type" | "label" | "fixed">,
    from: { readonly view: View } | { readonly expression: Expression },
  ) {
    this.shape = about.shape;
    this.type = about.type;
    this.label = about.label;
    this.fixed = about.fixed;
    if ("view" in from) this.#view = from.view;
    this.expression = "expression" in from ? from.expression : undefined;
  }

  /** Its place in memory, if it has one. */
  get view(): View | undefined {
    this.#view ??= this.expression?.view?.();
    return this.#view;
  }

  /** From now on it is read from memory. */
  keep(view: View): void {
    this.#view = view;
  }

  /** Operations it takes to read an element. */
  get cost(): number {
    return this.view === undefined ? this.expression!.cost : 0;
  }

  /** Adds the memory that reading it touches. */
  collectStorages(into: Set<Storage>): void {
    const { view } = this;
    if (view !== undefined) into.add(view.storage);
    else for (const operand of this.expression!.operands) operand.collectStorages(into);
  }
}

/** WGSL of one element of a value, or of four. */
export function read(value: Value, writer: Writer, index: Index, width: Width): string {
  if (width === 4 && !index.isQuad) throw new Error(`four elements of ${value.label} asked for at one`);
  const { view } = value;
  if (view !== undefined) return readView(view, writer, index, width);
  const key = `${numberOf(value)} ${index.key} ${width}`;
  return writer.remember(key, () =>
    writer.bind(typeOf(value.type, width), value.expression!.write(writer, index, width)),
  );
}

const numbers = new WeakMap<Value, number>();
let next = 0;

function numberOf(value: Value): number {
  let number = numbers.get(value);
  if (number === undefined) {
    number = next++;
    numbers.set(value, number);
  }
  return number;
}

export function readView(view: View, writer: Writer, index: Index, width: Width): string {
  const type = typeOf(view.storage.type, width);
  if (width === 1) return writer.bind(type, writer.load(view.storage, offsetOf(view, index), 1));
  const quad = quadOffsetOf(view, index);
  if (quad !== undefined) return writer.bind(type, writer.load(view.storage, quad, 4));
  if (view.strides.at(-1) === 0 && index.isRun) {
    return splat(readView(view, writer, index, 1), view.storage.type, 4);
  }
  return fours(view.storage.type, (i) => readView(view, writer, index.shift(i), 1));
}

/** An operand at a position of a result it is repeated to. */
export function readRepeated(value: Value, writer: Writer, index: Index, width: Width): string {
  const to = index.broadcastTo(value.shape);
  if (width === 1) return read(value, writer, to, 1);
  const repeated = index.isRun && value.shape.at(-1) !== index.shape.at(-1);
  if (value.shape.length === 0 || repeated) return splat(read(value, writer, to, 1), value.type, 4);
  return readMoved(value, writer, index, 4, (at) => at.broadcastTo(value.shape));
}

/** An operand at positions that follow from those of the result. */
export function readMoved(
  value: Value,
  writer: Writer,
  index: Index,
  width: Width,
  move: (index: Index) => Index,
): string {
  const to = move(index);
  if (width === 1 || to.isQuad) return read(value, writer, to, width);
  return fours(value.type, (i) => read(value, writer, move(index.shift(i)), 1));
}

export function typeOf(type: Storage["type"], width: Width): string {
  const one = computedType(type);
  return width === 1 ? one : `vec4<${one}>`;
}

export function splat(expression: string, type: Storage["type"], width: Width): string {
  return width === 1 ? expression : `${typeOf(type, 4)}(${expression})`;
}

export function fours(type: Storage["type"], part: (i: number) => string): string {
  return `${typeOf(type, 4)}(${[0, 1, 2, 3].map(part).join(", ")})`;
}

/** Stores element(s) at a position of a view. */
export function writeView(writer: Writer, to: View, index: Index, width: Width, value: string): void {
  if (width === 1) {
    writer.store(to.storage, offsetOf(to, index), value, 1);
    return;
  }
  const quad = quadOffsetOf(to, index);
  if (quad !== undefined) {
    writer.store(to.storage, quad, value, 4);
    return;
  }
  const all = writer.bind(typeOf(to.storage.type, 4), value);
  for (let i = 0; i < 4; i++) writer.store(to.storage, offsetOf(to, index.shift(i)), `${all}[${i}]`, 1);
}

/** Adds to what is stored at a position. */
export function accumulate(writer: Writer, to: View, index: Index, value: string): void {
  const at = writer.bind("u32", offsetOf(to, index));
  writer.store(to.storage, at, `${writer.load(to.storage, at, 1)} + ${value}`, 1);
}
