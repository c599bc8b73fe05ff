import { type Coupling, type Expression, type Graph, isBatch, type Operand } from "@espalier/core";

/**
 * Whether some node of a graph mixes the samples of a batch: normalises, sums or picks along it, so that running two
 * samples together is not running each by itself. Read off what operators say of their axes: where samples stay apart
 * the batch of an input is the batch of an output.
 */
export function mixesSamples(graph: Graph): boolean {
  return graph.nodes.some(({ operator, inputs, outputs, attributes }) => {
    const probe = new Probe();
    const operand = (value: number): Operand => {
      const { shape } = graph.values[value]!;
      return { shape, axes: shape.map(() => probe.fresh()), activation: true };
    };
    const [given, results] = [inputs.map(operand), outputs.map(operand)];
    operator.couple(probe, given, results, attributes);
    const batchesOf = ({ shape, axes }: Operand) => axes.filter((_, axis) => isBatch(shape[axis]!));
    const kept = new Set(results.flatMap(batchesOf).map((axis) => probe.groupOf(axis)));
    // Indices of different samples may mean what they want: only what they pick must stay apart.
    return given.some((one, i) =>
      batchesOf(one).some(
        (axis) =>
          !kept.has(probe.groupOf(axis)) ||
          (graph.values[inputs[i]!]!.dtype === "float32" && probe.isFixed(axis)),
      ),
    );
  });
}

/** Which axes of one node belong together: nothing but that. */
class Probe implements Coupling {
  readonly #parent: number[] = [];
  readonly #fixed = new Set<number>();

  fresh(): number {
    return this.#parent.push(this.#parent.length) - 1;
  }

  groupOf(axis: Expression): number {
    let at = axis as number;
    while (this.#parent[at] !== at) at = this.#parent[at]!;
    return at;
  }

  isFixed(axis: Expression): boolean {
    return [...this.#fixed].some((fixed) => this.groupOf(fixed) === this.groupOf(axis));
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

  /** The batch stays where it was put; which axes its neighbours are does not matter here. */
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
    this.#fixed.add(axis as number);
  }

  note(): void {}
}
