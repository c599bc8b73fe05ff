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

/** Nodes read in all attempts together. */
const mostNodes = 300_000;

/**
 * Files that were made for one batch size hold it in their shapes as a number like any other. To open the batch, it is
 * put back in: where a shape does not say where, all places are tried until the samples stay apart to the end.
 */
export class OpenedBatch {
  /** The batch size the file was made for. */
  readonly size: number;
  readonly #choices = new Map<string, { at: number; readonly count: number }>();
  #asked: string[] = [];
  #nodes = 0;
  #before = 0;
  #majors = new Map<ValueId, number>();

  constructor(size: number) {
    this.size = size;
  }

  /** Counts a node that was read; an UnreadableError where trying has taken too long. */
  count(): void {
    if (++this.#nodes > mostNodes) throw new UnreadableError("there are too many places for the batch");
  }

  /** Nodes read in this attempt. */
  get nodesRead(): number {
    return this.#nodes - this.#before;
  }

  get isExhausted(): boolean {
    return this.#nodes > mostNodes;
  }

  /** Forgets what was drawn, not what was chosen. */
  restart(): void {
    this.#before = this.#nodes;
    this.#asked = [];
    this.#majors = new Map();
  }

  /** After a failure: the next combination of choices; false where there is none. */
  next(): boolean {
    for (let key = this.#asked.pop(); key !== undefined; key = this.#asked.pop()) {
      const choice = this.#choices.get(key)!;
      if (++choice.at < choice.count) return true;
      this.#choices.delete(key);
    }
    return false;
  }

  /** The shape that numbers written down for one batch size stand for: a Reshape's target. */
  place(x: Value, target: readonly number[]): Shape | undefined {
    const axis = x.shape.findIndex(isBatch);
    const before = (elementsOf(x.shape.slice(0, axis)) as number) * (this.#majors.get(x.id) ?? 1);
    const candidates = this.#candidates(x.shape, axis, before, target);
    const key = JSON.stringify([x.shape, before, target]);
    const at = candidates[this.#choose(key, candidates.length)];
    return at === undefined ? undefined : (target as Shape).with(at, { batch: target[at]! / this.size });
  }

  /** Checks what was drawn for a value: throws an UnreadableError where samples are mixed. */
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

  /** Axes the batch may be in: as many elements have to lie before it as before. The likeliest first. */
  #candidates(from: Shape, axis: number, before: number, target: readonly number[]): number[] {
    const major = (at: number) => before / target.slice(0, at).reduce((n, extent) => n * extent, 1);
    const fits = target.flatMap((extent, at) =>
      Number.isInteger(major(at)) && Number.isInteger(extent / this.size / major(at)) ? [at] : [],
    );
    const kept = (from[axis] as { batch: number }).batch * this.size;
    const rank = (at: number) => {
      // Merged behind tokens it is likelier to come apart than to stay.
      if (at === axis && target[at] === kept) return major(at) > 1 ? 1.5 : 0;
      if (target[at] === this.size && major(at) === 1) return 1;
      // Tokens of all samples become the rows of a matrix; otherwise the batch is merged with what is behind it.
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

/** How many positions lie before the batch within its axis, after a reshape. */
function regrouped(from: Shape | undefined, major: number, to: Shape): number {
  if (from === undefined) return 1;
  const lead = (shape: Shape) => elementsOf(shape.slice(0, shape.findIndex(isBatch))) as number;
  return (lead(from) * major) / lead(to);
}

/**
 * Whether a node normalises, sums or picks along the batch, so that running two samples together is not running each by
 * itself. Read off what the operator says of its axes: where samples stay apart the batch of an input is that of an output.
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
  // Indices of different samples may mean what they want: only what they pick must stay apart.
  return given.some((one, i) =>
    batchesOf(one).some(
      (axis) => !kept.has(probe.groupOf(axis)) || (inputs[i]!.dtype === "float32" && probe.isFixed(axis)),
    ),
  );
}

/** Which axes of one node belong together: nothing but that. */
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

  /** The batch stays in the order it was in; which axes are its neighbours does not matter here. */
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
