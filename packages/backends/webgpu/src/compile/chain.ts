import { type LiveNode, labelOf } from "@espalier/core/compile";
import {
  countElements,
  isCallOf,
  type Node,
  reshapeOperator,
  transposeOperator,
  type ValueId,
} from "@espalier/core/graph";
import type { Storage } from "../memory/storage.ts";
import { applyPoint, type PointOperator, pointOperators } from "../operators/pointwise.ts";
import type { Index } from "../wgsl/index-space.ts";
import type { Width, Writer } from "../wgsl/writer.ts";
import type { Lowering } from "./lowering.ts";
import { typeOf, type Value, writeView } from "./value.ts";
import { contiguous, reshapeView, transposeView, type View } from "./view.ts";

interface Step {
  readonly node: Node;
  readonly output: ValueId;
  readonly shape: readonly number[];
  /** The element-wise operator with its operands; undefined in place of what the step before computed. */
  readonly point?: { readonly operator: PointOperator; readonly operands: readonly (Value | undefined)[] };
  /** The position in the step's result from that in its operand. */
  readonly move?: (index: Index) => Index;
  readonly view?: (view: View) => View | undefined;
}

export interface ChainOptions {
  /** Memory the kernel reads by itself. */
  readonly storages?: ReadonlySet<Storage>;
  /** Buffers it writes beside the chain's. */
  readonly others?: number;
  /** Results may be stored in 16 bits. */
  readonly half?: boolean;
}

/** More than this is left to a kernel of its own. */
const maxLength = 60;

/**
 * Operations on a kernel's result before it is stored: element-wise operators whose other operands are
 * there already, and changes of layout between them or before memory. A result that others read as well is stored too.
 */
export class Chain {
  readonly #lowering: Lowering;
  readonly #steps: readonly Step[];
  /** Memory of the kernel's own result and of each step's; undefined if nothing else reads it. */
  readonly #stores: readonly (View | undefined)[];
  /** Operations an element takes. */
  readonly cost: number;

  private constructor(lowering: Lowering, steps: readonly Step[], stores: readonly (View | undefined)[]) {
    this.#lowering = lowering;
    this.#steps = steps;
    this.#stores = stores;
    this.cost = steps.reduce(
      (sum, { point }) =>
        sum + (point?.operands.reduce((n, operand) => n + (operand?.cost ?? 0), point.operator.cost) ?? 1),
      0,
    );
  }

  /** The chain behind one output of a node; the nodes it takes in are done, the values it stores defined. */
  static behind(lowering: Lowering, node: Node, output: ValueId, options: ChainOptions = {}): Chain {
    const steps = trimmed(lowering, output, collect(lowering, output, options));
    for (const step of steps) lowering.markDone(step.node);
    const all = [{ node, output, shape: lowering.shapeOf(output) }, ...steps];
    const stores = all.map((step, i) => {
      const next = all[i + 1];
      const elsewhere = lowering.survey.readers(step.output).some((reader) => reader.node !== next?.node);
      const leaves = lowering.survey.leaves(step.output);
      if (next !== undefined && !elsewhere && !leaves) return undefined;
      const half = options.half === true && lowering.settings.half && !leaves;
      const view = lowering.allocate(
        labelOf(step.node),
        step.shape,
        half ? "f16" : "f32",
        lowering.survey.isFixed(step.output),
      );
      lowering.defineStored(step.output, labelOf(step.node), view);
      return view;
    });
    return new Chain(lowering, steps, stores);
  }

  /** Writes what happens to the element(s) at a position of the kernel's result. */
  write(writer: Writer, index: Index, width: Width, result: string, from = 0): void {
    const bound = writer.bind(typeOf("f32", width), result);
    const store = this.#stores[from];
    if (store !== undefined) writeView(writer, store, index, width, bound);
    const step = this.#steps[from];
    if (step === undefined) return;
    if (step.point !== undefined) {
      const { operator, operands } = step.point;
      const { batchSize } = this.#lowering;
      const call = { writer, index, width, batchSize, attributes: step.node.attributes };
      const given = (operand: number) => (operands[operand] === undefined ? bound : undefined);
      const next = applyPoint(operator, call, operands as readonly Value[], given);
      this.write(writer, index, width, next, from + 1);
      return;
    }
    const to = step.move!(index);
    if (width === 1 || to.isQuad) {
      this.write(writer, to, width, bound, from + 1);
      return;
    }
    for (let i = 0; i < 4; i++) {
      this.write(writer, step.move!(index.shift(i)), 1, `${bound}[${i}]`, from + 1);
    }
  }

  /** Memory the chain's other operands lie in. */
  get storages(): ReadonlySet<Storage> {
    const result = new Set<Storage>();
    for (const { point } of this.#steps) {
      for (const operand of point?.operands ?? []) operand?.collectStorages(result);
    }
    return result;
  }
}

function collect(lowering: Lowering, output: ValueId, options: ChainOptions): Step[] {
  const { storages = new Set(), others = 0 } = options;
  const steps: Step[] = [];
  const touched = new Set(storages);
  let stored = others + 1;
  let cost = 0;
  const fixed = lowering.survey.isFixed(output);
  if (lowering.typeOf(output) !== "f32") return steps;
  for (let value = output; ; ) {
    const readers = lowering.survey.readers(value);
    const alone = readers.length === 1 && !lowering.survey.leaves(value);
    const step =
      firstOf(readers, (reader) => pointStep(lowering, value, reader)) ??
      (alone ? moveStep(lowering, readers[0]!) : undefined);
    if (step === undefined || lowering.survey.isFixed(step.output) !== fixed) break;
    const all = new Set(touched);
    for (const operand of step.point?.operands ?? []) {
      operand?.collectStorages(all);
      cost += operand?.cost ?? 0;
    }
    cost += step.point?.operator.cost ?? 0;
    if (!alone) stored++;
    if (all.size + stored > lowering.settings.limits.storageBuffers || cost > maxLength) break;
    for (const storage of all) touched.add(storage);
    steps.push(step);
    value = step.output;
  }
  return steps;
}

function pointStep(lowering: Lowering, value: ValueId, { node, inputs }: LiveNode): Step | undefined {
  const operator = pointOperators.get(node.operator.name);
  if (operator === undefined || lowering.isDone(node)) return undefined;
  const [output] = node.outputs as [ValueId];
  if (lowering.typeOf(output) !== "f32") return undefined;
  const shape = lowering.shapeOf(output);
  const own = lowering.shapeOf(value);
  if (own.length !== shape.length || countElements(own) !== countElements(shape)) return undefined;
  // Operators that read an operand in a way of their own want it as their first.
  if (operator.readOperand !== undefined && inputs.lastIndexOf(value) > 0) return undefined;
  const others = inputs.filter((input) => input !== value);
  if (!others.every((input) => lowering.isKnown(input))) return undefined;
  const operands = inputs.map((input) => (input === value ? undefined : lowering.value(input)));
  lowering.settle(
    operands.flatMap((operand) => operand ?? []),
    lowering.survey.isFixed(output),
  );
  return { node, output, shape, point: { operator, operands } };
}

function moveStep(lowering: Lowering, { node, inputs }: LiveNode): Step | undefined {
  const [output] = node.outputs as [ValueId];
  if (lowering.isDone(node)) return undefined;
  const shape = lowering.shapeOf(output);
  const about = { node, output, shape };
  if (isCallOf(node, transposeOperator)) {
    const { perm } = node.attributes;
    const back = perm.map((_, axis) => perm.indexOf(axis));
    return { ...about, move: (index) => index.transposed(back), view: (view) => transposeView(view, perm) };
  }
  if (isCallOf(node, reshapeOperator) && countElements(lowering.shapeOf(inputs[0]!)) > 1) {
    return { ...about, move: (index) => index.reshaped(shape), view: (view) => reshapeView(view, shape) };
  }
  return undefined;
}

/** Without the changes of layout at the end that views can stand for. */
function trimmed(lowering: Lowering, output: ValueId, steps: readonly Step[]): readonly Step[] {
  const lastPoint = steps.findLastIndex(({ point }) => point !== undefined);
  for (let kept = lastPoint + 1; kept < steps.length; kept++) {
    const before = kept === 0 ? lowering.shapeOf(output) : steps[kept - 1]!.shape;
    const probe: Storage = { kind: "temporary", name: "", type: "f32", elements: countElements(before) };
    let view: View | undefined = contiguous(probe, before);
    for (const step of steps.slice(kept)) view &&= step.view!(view);
    if (view !== undefined) return steps.slice(0, kept);
  }
  return steps;
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
