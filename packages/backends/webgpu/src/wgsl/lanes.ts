import { countElements } from "@espalier/core/graph";
import type { Tiling } from "../compile/lowering.ts";
import { Index } from "./index-space.ts";
import type { Width, Writer } from "./writer.ts";

export interface LaneOptions {
  /** All elements that are read. */
  readonly shape: readonly number[];
  /** Axes along which a lane runs, in ascending order. */
  readonly axes: readonly number[];
  readonly tiling: Tiling;
  /** The extent of a lane grows with the batch. */
  readonly grows?: boolean;
}

/**
 * A kernel that works on lanes: elements along some axes, one lane for each position of the other axes. Where workgroup
 * memory is fast a group of threads shares a lane and its partial results meet there; elsewhere each thread has lanes of
 * its own. Numbers are taken by fours along the lane, or from four lanes at once, where the last axis allows it.
 */
export class Lanes {
  /** Elements that `each` visits at once. */
  readonly width: Width;
  /** Lanes a thread has: results of `combine` are vectors when it is 4. */
  readonly lanes: Width;
  readonly extent: number;
  readonly workgroups: readonly [number, number, number];
  /** Number of the lane, or of the four lanes. */
  readonly lane: string;
  readonly #writer: Writer;
  readonly #shape: readonly number[];
  readonly #axes: readonly number[];
  readonly #kept: readonly number[];
  readonly #side: number;
  readonly #slices: number;
  readonly #grows: boolean;
  /** Holds in one thread of each lane. */
  readonly #guard: string;

  constructor(writer: Writer, { shape, axes, tiling, grows = false }: LaneOptions) {
    this.#writer = writer;
    this.#shape = shape;
    this.#axes = axes;
    this.#grows = grows;
    const last = shape.length - 1;
    this.#kept = shape.flatMap((extent, axis) => (axes.includes(axis) ? [] : [extent]));
    this.extent = countElements(axes.map((axis) => shape[axis]!));
    const byFours = shape.length > 0 && shape[last]! % 4 === 0;
    const along = axes.includes(last);
    this.width = byFours ? 4 : 1;
    this.lanes = byFours && !along ? 4 : 1;
    const count = countElements(this.#kept) / this.lanes;
    const [side, slices] = divide(along && byFours ? this.extent / 4 : this.extent, along, tiling);
    this.#side = side;
    this.#slices = slices;
    writer.workgroup = [side, slices];
    if (slices === 1) {
      const { id, workgroups } = writer.threads(count);
      this.lane = id;
      this.#guard = "true";
      this.workgroups = [...workgroups, 1];
    } else {
      const { id, workgroups } = writer.spread(Math.ceil(count / side));
      const own = writer.bind("u32", side === 1 ? id : `${id} * ${side}u + local.x`);
      const lanes = writer.parameter("lanes", count);
      // Every thread takes part in combining: superfluous ones repeat the last lane.
      this.lane = writer.bind("u32", `min(${own}, ${lanes} - 1u)`);
      this.#guard = `local.y == 0u && ${own} < ${lanes}`;
      this.workgroups = [1, ...workgroups];
    }
    // Known before any loop, so that no loop computes them again.
    const byLane = this.#numbered(this.#kept, this.lane, this.lanes === 4);
    this.#kept.forEach((_, axis) => {
      byLane.axis(axis);
    });
  }

  /** WGSL for every element of the lane, or four together, at its position and its number within the lane. */
  each(body: (index: Index, number: string) => void): void {
    const writer = this.#writer;
    const along = this.lanes === 1 && this.width === 4;
    const steps = along ? this.extent / 4 : this.extent;
    const end = this.#grows ? writer.parameter("steps", steps) : `${steps}u`;
    const e = writer.fresh("e");
    const [start, by] = this.#slices === 1 ? ["0u", "1u"] : ["local.y", `${this.#slices}u`];
    writer.block(`for (var ${e} = ${start}; ${e} < ${end}; ${e} += ${by})`, () => body(this.#index(e), e));
  }

  /** The whole lane's result from what each thread gathered in `name`: lane-wise, in every thread. */
  combine(operation: "sum" | "max", name: string): string {
    const writer = this.#writer;
    const T = this.laneType;
    const pair = (a: string, b: string) => (operation === "sum" ? `${a} + ${b}` : `max(${a}, ${b})`);
    let own = name;
    if (this.lanes === 1 && this.width === 4) {
      const all = `${name}.x, ${name}.y, ${name}.z, ${name}.w`.split(", ");
      own = writer.bind(T, pair(pair(all[0]!, all[1]!), pair(all[2]!, all[3]!)));
    }
    if (this.#slices === 1) return own;
    const side = this.#side;
    const memory = "partial";
    writer.shared(memory, `array<${T}, ${side * this.#slices}>`);
    const at = writer.bind("u32", `local.y * ${side}u + local.x`);
    writer.line(`${memory}[${at}] = ${own};`);
    writer.line("workgroupBarrier();");
    const s = writer.fresh("s");
    writer.block(`for (var ${s} = ${this.#slices / 2}u; ${s} > 0u; ${s} /= 2u)`, () => {
      writer.line(`if (local.y < ${s}) {`);
      writer.line(`${memory}[${at}] = ${pair(`${memory}[${at}]`, `${memory}[${at} + ${s} * ${side}u]`)};`);
      writer.line("}");
      writer.line("workgroupBarrier();");
    });
    const result = writer.fresh("r");
    writer.line(`let ${result} = ${memory}[local.x];`);
    writer.line("workgroupBarrier();");
    return result;
  }

  /** Lines for one thread of each lane, with the position in a result of one element a lane. */
  once(shape: readonly number[], body: (index: Index, width: Width) => void): void {
    const writer = this.#writer;
    const inside = () => body(this.#numbered(shape, this.lane, this.lanes === 4), this.lanes);
    if (this.#slices === 1) inside();
    else writer.block(`if (${this.#guard})`, inside);
  }

  get laneType(): string {
    return this.lanes === 4 ? "vec4f" : "f32";
  }

  /** Type of what `each` sees. */
  get elementType(): string {
    return this.width === 4 ? "vec4f" : "f32";
  }

  /** A variable that gathers over the lane. */
  gather(name: string, start: string): void {
    this.#writer.line(`var ${name} = ${this.elementType}(${start});`);
  }

  #index(e: string): Index {
    const writer = this.#writer;
    const last = this.#shape.length - 1;
    const along = this.lanes === 1 && this.width === 4;
    const extents = this.#axes.map((axis) => this.#shape[axis]!);
    const byLane = this.#numbered(this.#kept, this.lane, this.lanes === 4);
    const byElement = this.#numbered(extents, e, along);
    const place = (axis: number): [Index, number] => {
      const at = this.#axes.indexOf(axis);
      if (at >= 0) return [byElement, at];
      return [byLane, axis - this.#axes.filter((reduced) => reduced < axis).length];
    };
    const axis = (i: number) => {
      const [index, at] = place(i);
      return index.axis(at);
    };
    if (this.width === 1) return new Index(writer, this.#shape, { axis });
    const [lastIndex] = place(last);
    return new Index(writer, this.#shape, { axis, quad: () => lastIndex.quad! });
  }

  #numbered(shape: readonly number[], number: string, quads: boolean): Index {
    return quads ? Index.quads(this.#writer, shape, number) : Index.flat(this.#writer, shape, number);
  }
}

/** Lanes side by side in a workgroup, and threads that share each, a power of two. */
function divide(steps: number, along: boolean, tiling: Tiling): [number, number] {
  if (tiling === "registers") return [16, 1];
  if (steps < 8) return [64, 1];
  // A lane whose elements lie together is read by all threads; lanes that lie side by side are read side by side.
  if (along) return steps < 64 ? [4, 16] : [1, steps < 512 ? 64 : 256];
  return [16, steps < 64 ? 4 : 16];
}
