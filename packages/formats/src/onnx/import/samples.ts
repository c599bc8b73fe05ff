import type { Coupling, Expression, Operand } from "@espalier/core/dimensions";
import {
  type Builder,
  elementsOf,
  isBatch,
  isCallOf,
  type Node,
  reshapeOperator,
  type Shape,
  type Value,
  type ValueId,
} from "@espalier/core/graph";
import { UnreadableError } from "./errors.ts";

/** Maximum number of nodes read over all attempts. */
const maxNodes = 300_000;

/**
 * Files made for one batch size hold it in their shapes as an ordinary number. To open the batch, it is put back in: if
 * a shape does not say where, all places are tried until the samples stay separate to the end.
 */
export class OpenedBatch {
  /** The batch size that the file was made for. */
  readonly size: number;
  readonly #choices = new Map<string, { at: number; readonly count: number }>();
  #asked: string[] = [];
  #nodes = 0;
  #before = 0;
  #majors = new Map<ValueId, number>();

  constructor(size: number) {
    this.size = size;
  }

  /** Counts a node that was read. Throws an UnreadableError if trying has taken too long. */
  count(): void {
    if (++this.#nodes > maxNodes) throw new UnreadableError("there are too many places for the batch");
  }

  /** Nodes read in this attempt. */
  get nodesRead(): number {
    return this.#nodes - this.#before;
  }

  get isExhausted(): boolean {
    return this.#nodes > maxNodes;
  }

  /** Forgets what was drawn, but keeps the choices. */
  restart(): void {
    this.#before = this.#nodes;
    this.#asked = [];
    this.#majors = new Map();
  }

  /** After a failure, moves to the next combination of choices; false if there is none. */
  next(): boolean {
    for (let key = this.#asked.pop(); key !== undefined; key = this.#asked.pop()) {
      const choice = this.#choices.get(key)!;
      if (++choice.at < choice.count) return true;
      this.#choices.delete(key);
    }
    return false;
  }

  /** The open shape for a Reshape target written for one batch size. */
  place(x: Value, target: readonly number[]): Shape | undefined {
    const axis = x.shape.findIndex(isBatch);
    const before = (elementsOf(x.shape.slice(0, axis)) as number) * (this.#majors.get(x.id) ?? 1);
    const candidates = this.#candidates(x.shape, axis, before, target);
    const key = JSON.stringify([x.shape, before, target]);
    const at = candidates[this.#choose(key, candidates.length)];
    return at === undefined ? undefined : (target as Shape).with(at, { batch: target[at]! / this.size });
  }

  /** Checks a drawn value. Throws an UnreadableError if samples are mixed. */
  check(b: Builder, value: Value): void {
    const node = b.producer(value);
    if (node === undefined || this.#majors.has(node.outputs[0]!)) return;
    const inputs = node.inputs.map((id) => b.value(id));
    for (const input of inputs) this.check(b, input);
    const outputs = node.outputs.map((id) => b.value(id));
    if (mixesSamples(node, inputs, outputs)) throw new UnreadableError("it mixes the samples of a batch");
    const batched = inputs.filter(({ shape }) => shape.some(isBatch));
    const majors = new Set(batched.map(({ id }) => this.#majors.get(id) ?? 1));
    if (majors.size > 1) throw new UnreadableError("the samples of its inputs are in different order");
    const [major = 1] = majors;
    for (const output of outputs) {
      const moved = isCallOf(node, reshapeOperator)
        ? regrouped(batched[0]?.shape, major, output.shape)
        : major;
      this.#majors.set(output.id, moved);
    }
  }

  /** Throws an UnreadableError for an output whose first axis is not that of the samples. */
  checkOutput(b: Builder, value: Value): void {
    this.check(b, value);
    const [first] = value.shape;
    if (first === undefined || !isBatch(first) || (this.#majors.get(value.id) ?? 1) !== 1)
      throw new UnreadableError("an output does not begin with the samples of the batch");
  }

  /** Axes that may contain the batch, the likeliest first: the number of elements before it has to stay the same. */
  #candidates(from: Shape, axis: number, before: number, target: readonly number[]): number[] {
    const major = (at: number) => before / target.slice(0, at).reduce((n, extent) => n * extent, 1);
    const fits = target.flatMap((extent, at) =>
      Number.isInteger(major(at)) && Number.isInteger(extent / this.size / major(at)) ? [at] : [],
    );
    const kept = (from[axis] as { batch: number }).batch * this.size;
    const rank = (at: number) => {
      // A batch that is merged after tokens is more likely to be separated again than to stay.
      if (at === axis && target[at] === kept) return major(at) > 1 ? 1.5 : 0;
      if (target[at] === this.size && major(at) === 1) return 1;
      // Tokens of all samples become the rows of a matrix; otherwise the batch is merged with the axis after it.
      return major(at) > 1 === (target.length === 2) ? 2 : 3;
    };
    return fits.sort((a, c) => rank(a) - rank(c) || a - c);
  }

  #choose(key: string, count: number): number {
    if (!this.#asked.includes(key)) this.#asked.push(key);
    const choice = this.#choices.get(key) ?? { at: 0, count };
    this.#choices.set(key, choice);
    return choice.at;
  }
}

/** Number of positions before the batch within its axis, after a reshape. */
function regrouped(from: Shape | undefined, major: number, to: Shape): number {
  if (from === undefined) return 1;
  const lead = (shape: Shape) => elementsOf(shape.slice(0, shape.findIndex(isBatch))) as number;
  return (lead(from) * major) / lead(to);
}

/**
 * Whether a node normalises, sums or selects along the batch, so that running two samples together differs from running
 * each by itself. Derived from the operator's coupling: if samples stay separate, the batch of an input is that of an
 * output.
 */
function mixesSamples(
  { operator, attributes }: Node,
  inputs: readonly Value[],
  outputs: readonly Value[],
): boolean {
  const probe = new Probe();
  const operand = ({ shape }: Value): Operand => ({
    shape,
    axes: shape.map(() => probe.fresh()),
    activation: true,
  });
  const [given, results] = [inputs.map(operand), outputs.map(operand)];
  operator.couple(probe, given, results, attributes);
  const batchesOf = ({ shape, axes }: Operand) => axes.filter((_, axis) => isBatch(shape[axis]!));
  const kept = new Set(results.flatMap(batchesOf).map((axis) => probe.groupOf(axis)));
  // Indices of different samples may differ; only the selected data must stay separate.
  return given.some((one, i) =>
    batchesOf(one).some(
      (axis) => !kept.has(probe.groupOf(axis)) || (inputs[i]!.dtype === "float32" && probe.isFixed(axis)),
    ),
  );
}

/** Records only which axes of one node belong together. */
class Probe implements Coupling {
  readonly #parent: number[] = [];
  readonly #fixed: number[] = [];

  fresh(): number {
    return this.#parent.push(this.#parent.length) - 1;
  }

  groupOf(axis: Expression): number {
    let at = axis as number;
    while (this.#parent[at] !== at) at = this.#parent[at]!;
    return at;
  }

  isFixed(axis: Expression): boolean {
    return this.#fixed.some((fixed) => this.groupOf(fixed) === this.groupOf(axis));
  }

  same(a: Expression, b: Expression): void {
    this.#parent[this.groupOf(a)] = this.groupOf(b);
  }

  sameAll(a: Operand, b: Operand): void {
    a.axes.forEach((axis, i) => {
      this.same(axis, b.axes[i]!);
    });
  }

  broadcast(from: Operand, to: Operand): void {
    const lead = to.axes.length - from.axes.length;
    from.axes.forEach((axis, i) => {
      if (from.shape[i] !== 1) this.same(axis, to.axes[i + lead]!);
    });
  }

  /** The batch keeps its order; which axes are its neighbours does not matter here. */
  regroup(from: readonly Expression[], to: readonly Expression[]): void {
    const [first] = from;
    if (first !== undefined) for (const axis of [...from, ...to]) this.same(axis, first);
  }

  join(parts: readonly Expression[], whole: Expression): void {
    for (const part of parts) this.same(part, whole);
  }

  select(whole: Expression, part: Expression): void {
    this.same(whole, part);
  }

  fixed(axis: Expression): void {
    this.#fixed.push(axis as number);
  }

  note(): void {}
}
